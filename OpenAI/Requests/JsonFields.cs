using System.Globalization;
using System.Text.Json;

namespace Fastgen.OpenAI.Requests;

/// <summary>Typed, range-checked access to the fields of a JSON object; absent and null are the same.</summary>
/// <param name="root">The object.</param>
/// <param name="path">Prefix of the field names in errors, such as <c>stream_options.</c>.</param>
internal readonly struct JsonFields(JsonElement root, string path = "")
{
    public JsonElement? Get(string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public string? String(string name) => Get(name) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw WrongType(path + name, "a string", value);

    public bool? Boolean(string name) => Get(name) is not { } value
        ? null
        : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw WrongType(path + name, "true or false", value),
        };

    public int? Integer(string name, int minimum, int maximum) =>
        Get(name) is { } value ? Integer(value, path + name, minimum, maximum) : null;

    public float? Number(string name, double minimum, double maximum) =>
        Get(name) is { } value ? Number(value, path + name, minimum, maximum) : null;

    public JsonFields? Object(string name) => Get(name) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.Object ? new JsonFields(value, path + name + ".") : throw WrongType(path + name, "an object", value);

    public JsonElement? Array(string name, int maxLength)
    {
        if (Get(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw WrongType(path + name, "an array", value);
        }

        return value.GetArrayLength() <= maxLength ? value : throw TooMany(path + name, value.GetArrayLength(), maxLength);
    }

    public static int Integer(JsonElement value, string name, int minimum, int maximum)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            throw WrongType(name, "an integer", value);
        }

        // 3.0 and 3e0 are integers in JSON; TryGetInt32 refuses both.
        if (value.TryGetInt32(out int number) || IsWhole(value, out number))
        {
            return number >= minimum && number <= maximum ? number : throw OutOfRange(name, value, minimum, maximum);
        }

        throw value.TryGetDouble(out double real) && real == Math.Floor(real)
            ? OutOfRange(name, value, minimum, maximum)
            : WrongType(name, "an integer", value);
    }

    public static float Number(JsonElement value, string name, double minimum, double maximum)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            throw WrongType(name, "a number", value);
        }

        // 1e999 parses as infinity, which no range holds.
        return value.TryGetDouble(out double number) && number >= minimum && number <= maximum
            ? (float)number
            : throw OutOfRange(name, value, minimum, maximum);
    }

    public static ApiException WrongType(string name, string expected, JsonElement value) =>
        ApiException.Invalid($"'{name}' is {Describe(value)}; it must be {expected}.", name);

    public static ApiException TooMany(string name, int count, int maximum) =>
        ApiException.Invalid($"'{name}' has {Format(count)} entries but the server allows {Format(maximum)}; send fewer.", name);

    private static ApiException OutOfRange(string name, JsonElement value, double minimum, double maximum) => ApiException.Invalid(
        maximum == int.MaxValue
            ? value.GetRawText().StartsWith('-') || value.GetDouble() < minimum
                ? $"'{name}' is {Shorten(value.GetRawText())}; it must be at least {Format(minimum)}."
                : $"'{name}' is {Shorten(value.GetRawText())}; it must be at most {Format(maximum)}."
            : $"'{name}' is {Shorten(value.GetRawText())}; it must be between {Format(minimum)} and {Format(maximum)}.",
        name);

    private static bool IsWhole(JsonElement value, out int number)
    {
        number = 0;
        if (!value.TryGetDouble(out double real) || real != Math.Floor(real) || Math.Abs(real) > int.MaxValue)
        {
            return false;
        }

        number = (int)real;
        return true;
    }

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "the string " + Shorten(value.GetRawText()),
        _ => Shorten(value.GetRawText()),
    };

    private static string Shorten(string text) => text.Length <= 40 ? text : string.Concat(text.AsSpan(0, 37), "...");

    private static string Format(double value) => value.ToString("#,0.##", CultureInfo.InvariantCulture);
}
