using System.Globalization;
using Fastgen.Engine.Text.Templates.Builtins;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Python's format specification: [[fill]align][sign][z][#][0][width][grouping][.precision][type].</summary>
internal sealed record FormatSpec
{
    public string? Fill { get; init; }

    public char Align { get; init; }

    /// <summary>A zero stood before the width: numbers are filled behind their sign.</summary>
    public bool ZeroFill { get; init; }

    public char Sign { get; init; }

    public bool Alternate { get; init; }

    public bool NoNegativeZero { get; init; }

    public int Width { get; init; }

    public char Grouping { get; init; }

    public int Precision { get; init; } = -1;

    public char Type { get; init; }

    public static string Format(Value value, string spec)
    {
        if (spec.Length == 0)
        {
            return value.Str();
        }

        switch (value)
        {
            case NumberValue number:
                return NumberFormat.Format(number, Parse(spec));
            case StrValue text:
                return Parse(spec).FormatText(text.Text);
            default:
                throw TemplateError.Type($"unsupported format string passed to {value.TypeName}.__format__");
        }
    }

    public static FormatSpec Parse(string spec)
    {
        var reader = new SpecReader(spec);
        return reader.Read();
    }

    /// <summary>Pads <paramref name="body"/> to the width; '=' puts the padding behind the sign or prefix.</summary>
    public string Pad(string prefix, string body, char defaultAlign)
    {
        char align = Align != '\0' ? Align : ZeroFill && defaultAlign == '>' ? '=' : defaultAlign;
        string fill = Fill ?? " ";
        int missing = Width - PythonText.CodePoints(prefix) - PythonText.CodePoints(body);
        if (missing <= 0)
        {
            return prefix + body;
        }

        RenderBudget.Current.Chars(Width);
        int left = align switch { '<' => 0, '^' => missing / 2, _ => missing };
        string before = StringLayout.Repeat(fill, left);
        return align == '=' ? prefix + before + body : before + prefix + body + StringLayout.Repeat(fill, missing - left);
    }

    private string FormatText(string text)
    {
        if (Type is not ('\0' or 's') || Sign != '\0' || Alternate || Grouping != '\0' || Align == '=')
        {
            throw TemplateError.Value(Type is not ('\0' or 's') ? $"Unknown format code '{Type}' for object of type 'str'" : "this format specification is not allowed for text");
        }

        if (Precision >= 0 && PythonText.CodePoints(text) > Precision)
        {
            text = text[..PythonText.OffsetOf(text, Precision)];
        }

        return Pad("", text, '<');
    }

    private sealed class SpecReader(string spec)
    {
        private int _position;

        public FormatSpec Read()
        {
            (string? fill, char align) = ReadAlign();
            char sign = Take("+- ");
            bool noNegativeZero = Take("z") != '\0';
            bool alternate = Take("#") != '\0';
            bool zero = Take("0") != '\0';
            int width = Math.Max(0, ReadNumber());
            char grouping = Take(",_");
            int precision = -1;
            if (Take(".") != '\0')
            {
                precision = ReadNumber();
                if (precision < 0)
                {
                    throw TemplateError.Value("Format specifier missing precision");
                }
            }

            char type = _position < spec.Length ? spec[_position++] : '\0';
            if (_position < spec.Length)
            {
                throw TemplateError.Value($"Invalid format specifier '{spec}'");
            }

            return new FormatSpec
            {
                Fill = fill ?? (zero ? "0" : null),
                Align = align,
                ZeroFill = zero,
                Sign = sign,
                NoNegativeZero = noNegativeZero,
                Alternate = alternate,
                Width = width,
                Grouping = grouping,
                Precision = precision,
                Type = type,
            };
        }

        private (string? Fill, char Align) ReadAlign()
        {
            if (spec.Length > 0)
            {
                int width = PythonText.WidthAt(spec, 0);
                if (width < spec.Length && spec[width] is '<' or '>' or '=' or '^')
                {
                    _position = width + 1;
                    return (spec[..width], spec[width]);
                }
            }

            return (null, Take("<>=^"));
        }

        private char Take(string allowed) =>
            _position < spec.Length && allowed.Contains(spec[_position], StringComparison.Ordinal) ? spec[_position++] : '\0';

        private int ReadNumber()
        {
            int start = _position;
            while (_position < spec.Length && char.IsAsciiDigit(spec[_position]))
            {
                _position++;
            }

            if (start == _position)
            {
                return -1;
            }

            return int.TryParse(spec.AsSpan(start, _position - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                ? number
                : throw TemplateError.Value("Too many decimal digits in format string");
        }
    }
}
