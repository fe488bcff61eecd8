using System.Text.Json;

namespace Fastgen.Engine;

/// <summary>Finds strings in JSON that are no text. The reader notices them only when they are asked for, and far from where the file is known.</summary>
internal static class JsonStrings
{
    /// <exception cref="InvalidOperationException">A name or a value has bytes that are not UTF-8, or half of a surrogate pair.</exception>
    public static void Check(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    Check(property.Value);
                }

                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    Check(item);
                }

                break;
            case JsonValueKind.String:
                _ = element.GetString();
                break;
        }
    }
}
