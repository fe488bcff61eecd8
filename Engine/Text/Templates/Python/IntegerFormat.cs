using System.Globalization;
using System.Numerics;
using System.Text;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Integers to text and back, as int() and str() do.</summary>
internal static class IntegerFormat
{
    /// <summary>Python's own limit on decimal conversion, which keeps it from quadratic work.</summary>
    private const int MaxDigits = 4300;

    public static string ToDecimal(BigInteger value)
    {
        if (BigInteger.Abs(value).GetBitLength() > 14_290)
        {
            throw TemplateError.Value($"Exceeds the limit ({MaxDigits} digits) for integer string conversion");
        }

        return value.ToString(CultureInfo.InvariantCulture);
    }

    public static string ToRadix(BigInteger magnitude, int bitsPerDigit)
    {
        if (magnitude.IsZero)
        {
            return "0";
        }

        int mask = (1 << bitsPerDigit) - 1;
        var digits = new StringBuilder();
        for (; !magnitude.IsZero; magnitude >>= bitsPerDigit)
        {
            digits.Insert(0, "0123456789abcdef"[(int)(magnitude & mask)]);
        }

        return digits.ToString();
    }

    /// <summary>int(text, radix): surrounding space, sign, prefixes, single underscores between digits.</summary>
    public static bool TryParse(string text, int radix, out BigInteger value)
    {
        value = default;
        string digits = PythonText.Trim(text);
        bool negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+'))
        {
            digits = digits[1..];
        }

        bool prefixed = StripPrefix(ref digits, ref radix);
        if (digits.StartsWith('_') && !prefixed)
        {
            return false;
        }

        bool separated = prefixed;
        int count = 0;
        foreach (Rune rune in digits.EnumerateRunes())
        {
            if (rune.Value == '_')
            {
                if (!separated && count == 0)
                {
                    return false;
                }

                if (count > 0 && !separated)
                {
                    return false;
                }

                separated = false;
                continue;
            }

            int digit = DigitValue(rune);
            if (digit < 0 || digit >= radix || ++count > MaxDigits)
            {
                return false;
            }

            value = (value * radix) + digit;
            separated = true;
        }

        if (count == 0 || !separated)
        {
            return false;
        }

        value = negative ? -value : value;
        return true;
    }

    private static bool StripPrefix(ref string digits, ref int radix)
    {
        int prefix = digits.Length > 1 && digits[0] == '0'
            ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 }
            : 0;
        if (prefix != 0 && radix is 0 or 16 or 8 or 2 && (radix == 0 || radix == prefix))
        {
            if (prefix != 0)
            {
                radix = prefix;
                digits = digits[2..];
                return true;
            }
        }

        if (radix == 0)
        {
            // Base 0 reads literals, which may not start with a zero unless they are zero.
            radix = digits.Length > 1 && digits[0] == '0' && digits.Any(c => c is not ('0' or '_')) ? 1 : 10;
        }

        return false;
    }

    private static int DigitValue(Rune rune)
    {
        if (rune.IsAscii)
        {
            char c = (char)rune.Value;
            return char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : -1;
        }

        return PythonText.IsDecimal(rune.Value) ? (int)Rune.GetNumericValue(rune) : -1;
    }
}
