using System.Numerics;
using System.Text;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Numbers in format() and %: integers in all bases, floats in all styles.</summary>
internal static class NumberFormat
{
    /// <summary>More digits than any prompt prints; each costs exact arithmetic.</summary>
    private const int MaxPrecision = 10_000;

    public static string Format(NumberValue value, FormatSpec spec)
    {
        RefuseGrouping(spec);
        if (value.IsInteger && spec.Type is '\0' or 'd' or 'b' or 'o' or 'x' or 'X' or 'c' or 'n')
        {
            return value.IsInteger ? FormatInteger(value.Integer, spec) : throw Unknown(spec.Type, value);
        }

        if (spec.Type is not ('\0' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%' or 'n'))
        {
            throw Unknown(spec.Type, value);
        }

        double real = value.Double;
        bool negative = double.IsNegative(real) && !double.IsNaN(real);
        string body = spec.Type == '\0' && spec.Precision < 0
            ? WithPoint(FloatFormat.Repr(Math.Abs(real)), spec.Alternate)
            : FormatReal(Math.Abs(real), spec.Type == '\0' ? 'r' : spec.Type, spec.Precision, spec.Alternate);
        if (spec.NoNegativeZero && body.All(c => c is '0' or '.' or '%'))
        {
            negative = false;
        }

        return Assemble(negative, "", body, spec);
    }

    /// <summary>A magnitude in style e, f, g, % or r (the style of str() with a precision).</summary>
    public static string FormatReal(double magnitude, char type, int precision, bool alternate)
    {
        if (precision > MaxPrecision)
        {
            throw TemplateError.Value($"precision {precision} is too big; at most {MaxPrecision} digits");
        }

        bool upper = char.IsUpper(type);
        if (!double.IsFinite(magnitude))
        {
            string special = double.IsNaN(magnitude) ? "nan" : "inf";
            return (upper ? special.ToUpperInvariant() : special) + (type == '%' ? "%" : "");
        }

        int digits = precision < 0 ? 6 : precision;
        string text = char.ToLowerInvariant(type) switch
        {
            'f' => FloatFormat.Fixed(magnitude, digits) + (alternate && digits == 0 ? "." : ""),
            '%' => FloatFormat.Fixed(magnitude * 100, digits) + (alternate && digits == 0 ? ".%" : "%"),
            'e' => Exponential(magnitude, digits, alternate),
            _ => General(magnitude, Math.Max(1, digits), alternate, type == 'r'),
        };
        return upper ? text.ToUpperInvariant() : text;
    }

    public static string IntegerDigits(BigInteger magnitude, char type) => type switch
    {
        'b' => IntegerFormat.ToRadix(magnitude, 1),
        'o' => IntegerFormat.ToRadix(magnitude, 3),
        'x' => IntegerFormat.ToRadix(magnitude, 4),
        'X' => IntegerFormat.ToRadix(magnitude, 4).ToUpperInvariant(),
        _ => IntegerFormat.ToDecimal(magnitude),
    };

    // The alternate form always shows a point: 1.e+16.
    private static string WithPoint(string text, bool alternate)
    {
        int exponent = text.IndexOf('e', StringComparison.Ordinal);
        return alternate && exponent >= 0 && !text.Contains('.', StringComparison.Ordinal) ? text.Insert(exponent, ".") : text;
    }

    private static void RefuseGrouping(FormatSpec spec)
    {
        bool wrong = spec.Grouping == ',' ? spec.Type is 'b' or 'o' or 'x' or 'X' or 'c' or 'n' : spec.Grouping == '_' && spec.Type is 'c' or 'n' && spec.Grouping == '_';
        if (wrong)
        {
            throw TemplateError.Value($"Cannot specify '{spec.Grouping}' with '{spec.Type}'.");
        }
    }

    private static string FormatInteger(BigInteger value, FormatSpec spec)
    {
        if (spec.Precision >= 0)
        {
            throw TemplateError.Value("Precision not allowed in integer format specifier");
        }

        if (spec.Type == 'c')
        {
            if (spec.Sign != '\0' || spec.Alternate)
            {
                throw TemplateError.Value("Sign and alternate form (#) are not allowed with integer format specifier 'c'");
            }

            return value >= 0 && value <= 0x10FFFF
                ? spec.Pad("", Builtins.StringLayout.Character((int)value), '<')
                : throw new TemplateError(ErrorKind.Overflow, "%c arg not in range(0x110000)");
        }

        string prefix = spec.Alternate && spec.Type is 'b' or 'o' or 'x' or 'X' && spec.Alternate ? "0" + spec.Type : "";
        return Assemble(value.Sign < 0, prefix, IntegerDigits(BigInteger.Abs(value), spec.Type), spec);
    }

    private static string Assemble(bool negative, string prefix, string body, FormatSpec spec)
    {
        string sign = negative ? "-" : spec.Sign is '+' or ' ' ? spec.Sign.ToString() : "";
        if (spec.Grouping != '\0')
        {
            body = Group(body, spec, sign.Length + prefix.Length);
        }

        return spec.Pad(sign + prefix, body, '>');
    }

    /// <summary>Separators between groups of digits; zeros that fill the width are grouped with them.</summary>
    private static string Group(string body, FormatSpec spec, int prefixLength)
    {
        int whole = 0;
        while (whole < body.Length && char.IsAsciiHexDigit(body[whole]) && !(body[whole] is 'e' or 'E' && spec.Type is not ('x' or 'X')))
        {
            whole++;
        }

        int size = spec.Type is 'b' or 'o' or 'x' or 'X' ? 4 : 3;
        string digits = body[..whole];
        string rest = body[whole..];
        int width = (spec.Align == '=' || (spec.Align == '\0' && spec.ZeroFill)) && spec.Fill == "0" ? spec.Width - prefixLength - rest.Length : 0;
        var grouped = new StringBuilder();
        for (int count = 0; count < digits.Length || grouped.Length < width; count++)
        {
            if (count > 0 && count % size == 0)
            {
                grouped.Insert(0, spec.Grouping);
                if (count >= digits.Length && grouped.Length >= width)
                {
                    // A separator may not stand first, so one more zero goes before it.
                    grouped.Insert(0, '0');
                    break;
                }
            }

            grouped.Insert(0, count < digits.Length ? digits[digits.Length - 1 - count] : '0');
        }

        return grouped.Append(rest).ToString();
    }

    private static string Exponential(double magnitude, int precision, bool alternate)
    {
        (string digits, int exponent) = FloatFormat.Exponential(magnitude, precision);
        return Mantissa(digits, alternate) + Exponent(exponent);
    }

    private static string General(double magnitude, int precision, bool alternate, bool likeRepr)
    {
        (string digits, int exponent) = FloatFormat.Exponential(magnitude, precision - 1);

        // Without a type the exponent form starts one power earlier, and a fixed form keeps a digit after its point.
        if (exponent < -4 || exponent >= (likeRepr ? precision - 1 : precision))
        {
            return Mantissa(alternate ? digits : TrimZeros(digits), alternate) + Exponent(exponent);
        }

        string fixedText = FloatFormat.Fixed(magnitude, Math.Max(0, precision - 1 - exponent));
        if (!alternate && fixedText.Contains('.', StringComparison.Ordinal))
        {
            fixedText = fixedText.TrimEnd('0').TrimEnd('.');
        }

        if (likeRepr && !fixedText.Contains('.', StringComparison.Ordinal))
        {
            return fixedText + ".0";
        }

        return alternate && !fixedText.Contains('.', StringComparison.Ordinal) ? fixedText + "." : fixedText;
    }

    private static string TrimZeros(string digits)
    {
        string trimmed = digits.TrimEnd('0');
        return trimmed.Length == 0 ? "0" : trimmed;
    }

    private static string Mantissa(string digits, bool alternate) =>
        digits.Length > 1 ? $"{digits[0]}.{digits[1..]}" : alternate ? digits + "." : digits;

    private static string Exponent(int exponent) => $"e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";

    private static TemplateError Unknown(char type, NumberValue value) => TemplateError.Value($"Unknown format code '{type}' for object of type '{value.TypeName}'");
}
