using System.Numerics;
using Fastgen.Engine.Text.Templates.Builtins;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Python's "text" % values.</summary>
internal sealed class PercentFormat
{
    private readonly string _format;
    private readonly bool _escape;
    private readonly Value _argument;
    private readonly IReadOnlyList<Value> _values;
    private readonly TextBuffer _output = new();
    private int _position;
    private int _next;
    private bool _usedNames;

    private PercentFormat(StrValue format, Value argument)
    {
        _format = format.Text;
        _escape = format.IsMarkup;
        _argument = argument;
        _values = argument is TupleValue tuple ? tuple.Items : [argument];
    }

    public static StrValue Format(StrValue format, Value argument)
    {
        var run = new PercentFormat(format, argument);
        run.Run();
        return new StrValue(run._output.ToString(), format.IsMarkup);
    }

    private void Run()
    {
        while (_position < _format.Length)
        {
            int percent = _format.IndexOf('%', _position);
            if (percent < 0)
            {
                _output.Append(_format.AsSpan(_position));
                break;
            }

            _output.Append(_format.AsSpan(_position, percent - _position));
            _position = percent + 1;
            RenderBudget.Current.Step();
            WriteField();
        }

        // What can be indexed counts as a mapping, and a mapping may go unused.
        bool isMapping = _argument is DictValue or ListValue or RangeValue or BytesValue or UndefinedValue;
        if (_next < _values.Count && !_usedNames && !isMapping)
        {
            throw TemplateError.Type("not all arguments converted during string formatting");
        }
    }

    private void WriteField()
    {
        Value? named = ReadName();
        var flags = new HashSet<char>();
        while (_position < _format.Length && "#0- +".Contains(_format[_position], StringComparison.Ordinal))
        {
            flags.Add(_format[_position++]);
        }

        int width = ReadCount(named is not null) ?? 0;
        if (width < 0)
        {
            flags.Add('-');
            width = -width;
        }

        int precision = -1;
        if (_position < _format.Length && _format[_position] == '.')
        {
            _position++;
            precision = Math.Max(0, ReadCount(named is not null) ?? 0);
        }

        while (_position < _format.Length && _format[_position] is 'h' or 'l' or 'L')
        {
            _position++;
        }

        if (_position >= _format.Length)
        {
            throw TemplateError.Value("incomplete format");
        }

        char type = _format[_position++];
        if (type == '%' && _format[_position - 2] == '%')
        {
            _output.Append('%');
            return;
        }

        Write(type, named ?? Take(), flags, width, precision);
    }

    private Value? ReadName()
    {
        if (_position >= _format.Length || _format[_position] != '(')
        {
            return null;
        }

        int depth = 1;
        int start = ++_position;
        for (; _position < _format.Length && depth > 0; _position++)
        {
            depth += _format[_position] == '(' ? 1 : _format[_position] == ')' ? -1 : 0;
        }

        if (depth > 0)
        {
            throw TemplateError.Value("incomplete format key");
        }

        string name = _format[start..(_position - 1)];
        _usedNames = true;
        if (_argument is not DictValue dict)
        {
            throw TemplateError.Type("format requires a mapping");
        }

        return dict.TryGet(new StrValue(name), out Value? value) ? value : throw new TemplateError(ErrorKind.Lookup, $"KeyError: '{name}'");
    }

    private int? ReadCount(bool isNamed)
    {
        if (_position < _format.Length && _format[_position] == '*')
        {
            _position++;
            return isNamed || Take() is not NumberValue { IsInteger: true } count
                ? throw TemplateError.Type("* wants int")
                : Coerce.Int(count, 0);
        }

        int start = _position;
        while (_position < _format.Length && char.IsAsciiDigit(_format[_position]))
        {
            _position++;
        }

        return start == _position ? null
            : int.TryParse(_format.AsSpan(start, _position - start), out int number) ? number
            : throw TemplateError.Value("width or precision too big");
    }

    private Value Take()
    {
        // With a mapping the only positional value is the mapping itself.
        return _next < _values.Count ? _values[_next++] : throw TemplateError.Type("not enough arguments for format string");
    }

    private void Write(char type, Value value, HashSet<char> flags, int width, int precision)
    {
        bool left = flags.Contains('-');
        switch (type)
        {
            case 's' or 'r' or 'a':
                string text = type switch { 's' => value.Str(), 'r' => value.Repr(), _ => StrFormat.AsciiRepr(value) };
                if (_escape)
                {
                    text = value is StrValue { IsMarkup: true } ? text : Markup.EscapeText(text);
                }

                if (precision >= 0 && precision < PythonText.CodePoints(text))
                {
                    text = text[..PythonText.OffsetOf(text, precision)];
                }

                _output.Append(StringLayout.Pad(text, width, " ", left ? '<' : '>'));
                break;
            case 'c':
                string character = value switch
                {
                    StrValue { CodePoints: 1 } one => one.Text,
                    NumberValue { IsInteger: true } number when number.Integer >= 0 && number.Integer <= 0x10FFFF => StringLayout.Character((int)number.Integer),
                    _ => throw TemplateError.Type("%c requires int or char"),
                };
                _output.Append(StringLayout.Pad(character, width, " ", left ? '<' : '>'));
                break;
            case 'd' or 'i' or 'u' or 'o' or 'x' or 'X':
                WriteInteger(type, value, flags, width, precision);
                break;
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                double real = value is NumberValue or UndefinedValue ? Coerce.Float(value) : throw TemplateError.Type($"must be real number, not {value.TypeName}");
                bool negative = double.IsNegative(real) && !double.IsNaN(real);
                string body = NumberFormat.FormatReal(Math.Abs(real), type, precision, flags.Contains('#'));
                WritePadded(negative, "", body, flags, width, double.IsFinite(real));
                break;
            default:
                throw TemplateError.Value($"unsupported format character '{type}'");
        }
    }

    private void WriteInteger(char type, Value value, HashSet<char> flags, int width, int precision)
    {
        BigInteger integer = value switch
        {
            NumberValue { IsInteger: true } number => number.Integer,
            NumberValue number when type is 'd' or 'i' or 'u' => Arithmetic.Truncate(number.Double),
            UndefinedValue undefined => throw undefined.Failure(),
            _ => throw TemplateError.Type($"%{type} format: {(type is 'o' or 'x' or 'X' ? "an integer" : "a real number")} is required, not {value.TypeName}"),
        };
        string digits = NumberFormat.IntegerDigits(BigInteger.Abs(integer), type);
        if (precision > digits.Length)
        {
            RenderBudget.Current.Chars(precision);
            digits = digits.PadLeft(precision, '0');
        }

        string prefix = flags.Contains('#') && type is 'o' or 'x' or 'X' && flags.Contains('#') ? "0" + type : "";
        WritePadded(integer.Sign < 0, prefix, digits, flags, width, zeroAllowed: true);
    }

    private void WritePadded(bool negative, string prefix, string body, HashSet<char> flags, int width, bool zeroAllowed)
    {
        string sign = (negative ? "-" : flags.Contains('+') ? "+" : flags.Contains(' ') ? " " : "") + prefix;
        RenderBudget.Current.Chars(width);
        if (flags.Contains('0') && !flags.Contains('-') && zeroAllowed)
        {
            body = body.PadLeft(Math.Max(0, width - sign.Length), '0');
        }

        string text = sign + body;
        _output.Append(flags.Contains('-') ? text.PadRight(width) : text.PadLeft(width));
    }
}
