using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>JSON as the values that Python's json.loads would make of it.</summary>
internal static class JsonValues
{
    public static Value From(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => FromObject(element),
        JsonValueKind.Array => FromArray(element),
        JsonValueKind.String => new StrValue(element.GetString()!),
        JsonValueKind.Number => FromNumber(element),
        JsonValueKind.True => BoolValue.True,
        JsonValueKind.False => BoolValue.False,
        _ => NoneValue.Instance,
    };

    private static DictValue FromObject(JsonElement element)
    {
        var dict = new DictValue();
        foreach (JsonProperty property in element.EnumerateObject())
        {
            dict.Set(new StrValue(property.Name), From(property.Value));
        }

        return dict;
    }

    private static ListValue FromArray(JsonElement element)
    {
        var items = new Value[element.GetArrayLength()];
        int i = 0;
        foreach (JsonElement item in element.EnumerateArray())
        {
            items[i++] = From(item);
        }

        return new ListValue(items);
    }

    private static NumberValue FromNumber(JsonElement element)
    {
        if (element.TryGetInt32(out int small))
        {
            return IntValue.Of(small);
        }

        string text = element.GetRawText();
        return text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0
            ? new FloatValue(double.Parse(text, CultureInfo.InvariantCulture))
            : Python.IntegerFormat.TryParse(text, 10, out BigInteger value) ? IntValue.Of(value) : throw TemplateError.Value("an integer in the input has more than 4,300 digits");
    }
}
