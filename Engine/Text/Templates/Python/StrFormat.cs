using System.Globalization;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>str.format and str.format_map, whose fields obey the sandbox.</summary>
internal sealed class StrFormat
{
    private readonly Value[] _positional;
    private readonly Func<string, Value?> _named;
    private readonly bool _escape;
    private int _automatic;
    private bool _manual;

    private StrFormat(Value[] positional, Func<string, Value?> named, bool escape)
    {
        _positional = positional;
        _named = named;
        _escape = escape;
    }

    public static StrValue Format(StrValue format, CallArguments arguments) =>
        Run(format, new StrFormat(arguments.Positional, arguments.FindNamed, format.IsMarkup));

    public static StrValue FormatMap(StrValue format, CallArguments arguments)
    {
        Value mapping = arguments.Bind("format_map", "mapping /")[0]!;
        return Run(format, new StrFormat([], name => mapping.TryGetItem(new StrValue(name), out Value? value) ? value : null, format.IsMarkup));
    }

    /// <summary>ascii(): repr with everything beyond ASCII escaped.</summary>
    public static string AsciiRepr(Value value)
    {
        var output = new TextBuffer();
        foreach (int codePoint in CharacterTests.CodePoints(value.Repr()))
        {
            output.Append(codePoint < 0x80 ? ((char)codePoint).ToString()
                : codePoint < 0x100 ? "\\x" + codePoint.ToString("x2", CultureInfo.InvariantCulture)
                : codePoint < 0x10000 ? "\\u" + codePoint.ToString("x4", CultureInfo.InvariantCulture)
                : "\\U" + codePoint.ToString("x8", CultureInfo.InvariantCulture));
        }

        return output.ToString();
    }

    private static StrValue Run(StrValue format, StrFormat formatter)
    {
        var output = new TextBuffer();
        formatter.Expand(format.Text, output, 2);
        return new StrValue(output.ToString(), format.IsMarkup);
    }

    private void Expand(string format, TextBuffer output, int depth)
    {
        if (depth < 0)
        {
            throw TemplateError.Value("Max string recursion exceeded");
        }

        for (int i = 0; i < format.Length; i++)
        {
            RenderBudget.Current.Step();
            char c = format[i];
            if (c is not ('{' or '}'))
            {
                output.Append(c);
                continue;
            }

            if (i + 1 < format.Length && format[i + 1] == c)
            {
                output.Append(c);
                i++;
                continue;
            }

            if (c == '}')
            {
                throw TemplateError.Value("Single '}' encountered in format string");
            }

            int end = FieldEnd(format, i + 1);
            output.Append(Field(format[(i + 1)..end], depth));
            i = end;
        }
    }

    private static int FieldEnd(string format, int start)
    {
        int depth = 1;
        bool inIndex = false;
        for (int i = start; i < format.Length; i++)
        {
            switch (format[i])
            {
                case '[' when depth == 1: inIndex = true; break;
                case ']': inIndex = false; break;
                case '{' when !inIndex: depth++; break;
                case '}' when !inIndex && --depth == 0: return i;
            }
        }

        throw TemplateError.Value(start >= format.Length ? "Single '{' encountered in format string" : "expected '}' before end of string");
    }

    private string Field(string field, int depth)
    {
        int nameEnd = NameEnd(field);
        string name = field[..nameEnd];
        string spec = "";
        char conversion = '\0';
        if (nameEnd < field.Length && field[nameEnd] == '!')
        {
            if (nameEnd + 1 >= field.Length || (nameEnd + 2 < field.Length && field[nameEnd + 2] != ':'))
            {
                throw TemplateError.Value("expected ':' after conversion specifier");
            }

            conversion = field[nameEnd + 1];
            nameEnd += 2;
        }

        if (nameEnd < field.Length)
        {
            spec = field[(nameEnd + 1)..];
        }

        Value value = Convert(Resolve(name), conversion);
        if (spec.Contains('{', StringComparison.Ordinal) || spec.Contains('}', StringComparison.Ordinal))
        {
            var expanded = new TextBuffer();
            Expand(spec, expanded, depth - 1);
            spec = expanded.ToString();
        }

        if (!_escape)
        {
            return FormatSpec.Format(value, spec);
        }

        return value is StrValue { IsMarkup: true } ? value.Str() : Markup.EscapeText(FormatSpec.Format(value, spec));
    }

    private static int NameEnd(string field)
    {
        bool inIndex = false;
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] == '[')
            {
                inIndex = true;
            }
            else if (field[i] == ']')
            {
                inIndex = false;
            }
            else if (!inIndex && field[i] is '!' or ':' && !inIndex)
            {
                return i;
            }
        }

        return field.Length;
    }

    private static Value Convert(Value value, char conversion) => conversion switch
    {
        '\0' => value,
        's' => new StrValue(value.Str()),
        'r' => new StrValue(value.Repr()),
        'a' => new StrValue(AsciiRepr(value)),
        _ => throw TemplateError.Value($"Unknown conversion specifier {conversion}"),
    };

    private Value Resolve(string name)
    {
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end];
        Value value = First(first);
        int i = first.Length;
        while (i < name.Length)
        {
            if (name[i] == '.')
            {
                int next = name.AsSpan(i + 1).IndexOfAny('.', '[');
                int stop = next < 0 ? name.Length : i + 1 + next;
                string attribute = name[(i + 1)..stop];
                value = attribute.Length > 0 ? Access.Attribute(value, new StrValue(attribute)) : throw TemplateError.Value("Empty attribute in format string");
                i = stop;
                continue;
            }

            int close = name[i] == '[' ? name.IndexOf(']', i) : throw TemplateError.Value("Only '.' or '[' may follow ']' in format field specifier");
            if (close <= i + 1)
            {
                throw TemplateError.Value(close < 0 ? "Missing ']' in format string" : "Empty attribute in format string");
            }

            string key = name[(i + 1)..close];
            value = Access.Item(value, key.All(char.IsAsciiDigit) ? IntValue.Of(System.Numerics.BigInteger.Parse(key, CultureInfo.InvariantCulture)) : new StrValue(key));
            i = close + 1;
        }

        return value;
    }

    private Value First(string name)
    {
        if (name.Length == 0)
        {
            if (_manual)
            {
                throw TemplateError.Value("cannot switch from manual field specification to automatic field numbering");
            }

            return Positional(_automatic++);
        }

        if (!name.All(char.IsAsciiDigit))
        {
            return _named(name) ?? throw new TemplateError(ErrorKind.Lookup, $"KeyError: '{name}'");
        }

        if (_automatic > 0)
        {
            throw TemplateError.Value("cannot switch from automatic field numbering to manual field specification");
        }

        _manual = true;
        return int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? Positional(index) : throw TemplateError.Value("Too many decimal digits in format string");
    }

    private Value Positional(int index) => index < _positional.Length
        ? _positional[index]
        : throw new TemplateError(ErrorKind.Lookup, $"Replacement index {index} out of range for positional args tuple");
}
