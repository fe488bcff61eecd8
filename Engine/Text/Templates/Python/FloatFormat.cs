using System.Globalization;
using System.Numerics;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Floats to text and back, as float() and str() do, with correctly rounded digits.</summary>
internal static class FloatFormat
{
    /// <summary>The shortest text that reads back as the same number; exponents from 1e16 and below 1e-4.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        (string digits, int exponent) = Split(shortest);

        // Below a power of two the neighbours lie closer, which .NET's shortest form overlooks.
        for (int precision = 15; precision <= 16 && double.Parse(shortest, CultureInfo.InvariantCulture) != value; precision++)
        {
            (digits, exponent) = Exponential(Math.Abs(value), precision);
            shortest = $"{(value < 0 ? "-" : "")}{digits}E{exponent - precision}";
            digits = digits.TrimEnd('0');
        }

        string sign = double.IsNegative(value) ? "-" : "";
        if (exponent is < -4 or >= 16)
        {
            string mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
            return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
        {
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        }

        return digits.Length <= exponent + 1
            ? $"{sign}{digits.PadRight(exponent + 1, '0')}.0"
            : $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    /// <summary>%.*f without sign.</summary>
    public static string Fixed(double magnitude, int precision)
    {
        string digits = Scaled(magnitude, precision).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        return precision == 0 ? digits : $"{digits[..^precision]}.{digits[^precision..]}";
    }

    /// <summary>The digits (precision + 1 of them) and decimal exponent of %.*e.</summary>
    public static (string Digits, int Exponent) Exponential(double magnitude, int precision)
    {
        if (magnitude == 0)
        {
            return (new string('0', precision + 1), 0);
        }

        int exponent = (int)Math.Floor(Math.Log10(magnitude));
        while (true)
        {
            string digits = Scaled(magnitude, precision - exponent).ToString(CultureInfo.InvariantCulture);
            if (digits.Length == precision + 1)
            {
                return (digits, exponent);
            }

            // The logarithm, or rounding up to the next power, was one off.
            exponent += digits.Length > precision + 1 ? 1 : -1;
            if (digits.Length > precision + 1 && digits.AsSpan().TrimEnd('0').Length == 1)
            {
                return (digits[..(precision + 1)], exponent);
            }
        }
    }

    /// <summary>round(value, digits): to even on exact ties.</summary>
    public static double Round(double value, int digits)
    {
        if (!double.IsFinite(value) || digits > 323)
        {
            return value;
        }

        if (digits < -308)
        {
            return value * 0;
        }

        BigInteger scaled = Scaled(Math.Abs(value), digits);
        double rounded = double.Parse($"{scaled}E{-digits}", CultureInfo.InvariantCulture);
        if (double.IsInfinity(rounded))
        {
            throw new TemplateError(ErrorKind.Overflow, "rounded value too large to represent");
        }

        return double.IsNegative(value) ? -rounded : rounded;
    }

    /// <summary>float(text).</summary>
    public static bool TryParse(string text, out double value)
    {
        string trimmed = PythonText.Trim(text);
        string body = trimmed.TrimStart('+', '-').ToLowerInvariant();
        if (trimmed.Length - body.Length <= 1 && body is "inf" or "infinity" or "nan")
        {
            value = body == "nan" ? double.NaN : trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        value = 0;
        for (int i = 0; i < trimmed.Length; i++)
        {
            char c = trimmed[i];
            bool between = i > 0 && i + 1 < trimmed.Length && char.IsAsciiDigit(trimmed[i - 1]) && char.IsAsciiDigit(trimmed[i + 1]);
            if (!(char.IsAsciiDigit(c) || c is '.' or 'e' or 'E' or '+' or '-' || (c == '_' && between)))
            {
                return false;
            }
        }

        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), Style, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>magnitude × 10^digits, rounded to an integer, exact ties to even.</summary>
    private static BigInteger Scaled(double magnitude, int digits)
    {
        long bits = BitConverter.DoubleToInt64Bits(magnitude);
        int biased = (int)((bits >> 52) & 0x7FF);
        BigInteger numerator = (bits & 0xFFFFFFFFFFFFF) | (biased == 0 ? 0 : 1L << 52);
        int exponent = Math.Max(biased, 1) - 1075;
        BigInteger denominator = BigInteger.One;
        Multiply(ref numerator, ref denominator, digits, BigInteger.Pow(10, Math.Abs(digits)));
        Multiply(ref numerator, ref denominator, exponent, BigInteger.One << Math.Abs(exponent));
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger remainder);
        int half = (remainder * 2).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }

    private static void Multiply(ref BigInteger numerator, ref BigInteger denominator, int exponent, BigInteger factor)
    {
        if (exponent >= 0)
        {
            numerator *= factor;
        }
        else
        {
            denominator *= factor;
        }
    }

    private static (string Digits, int Exponent) Split(string shortest)
    {
        string text = shortest.TrimStart('-');
        int exponent = 0;
        int e = text.IndexOf('E', StringComparison.Ordinal);
        if (e >= 0)
        {
            exponent = int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..e];
        }

        int point = text.IndexOf('.', StringComparison.Ordinal);
        string whole = point < 0 ? text : text[..point];
        string digits = whole + (point < 0 ? "" : text[(point + 1)..]);
        exponent += whole.Length - 1;
        string significant = digits.TrimStart('0');
        if (significant.Length == 0)
        {
            return ("0", 0);
        }

        exponent -= digits.Length - significant.Length;
        significant = significant.TrimEnd('0');
        return (significant, exponent);
    }
}
