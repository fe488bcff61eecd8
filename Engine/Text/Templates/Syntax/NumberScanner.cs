namespace Fastgen.Engine.Text.Templates.Syntax;

/// <summary>The number forms of the language: 1_000, 0x1F, 0b1, 0o7, 1.5, 1e3; a leading zero only before zeros.</summary>
internal static class NumberScanner
{
    /// <summary>End of the number that starts at <paramref name="start"/>.</summary>
    public static int Scan(string source, int start, out bool isFloat)
    {
        // After a dot (ns.list.0.5) a number is an index, so the next dot begins the next index.
        bool afterDot = start > 0 && source[start - 1] == '.';
        int end = afterDot ? -1 : ScanFloat(source, start);
        isFloat = end > 0;
        return isFloat ? end : ScanInteger(source, start);
    }

    private static int ScanFloat(string source, int start)
    {
        int end = Digits(source, start);
        bool isFloat = false;
        if (At(source, end) == '.' && char.IsAsciiDigit(At(source, end + 1)))
        {
            end = Digits(source, end + 1);
            isFloat = true;
        }

        if (At(source, end) is 'e' or 'E')
        {
            int exponent = end + 1 + (At(source, end + 1) is '+' or '-' ? 1 : 0);
            if (char.IsAsciiDigit(At(source, exponent)))
            {
                return Digits(source, exponent);
            }
        }

        return isFloat ? end : -1;
    }

    private static int ScanInteger(string source, int start)
    {
        if (source[start] != '0')
        {
            return Digits(source, start);
        }

        string? digits = At(source, start + 1) switch
        {
            'b' or 'B' => "01",
            'o' or 'O' => "01234567",
            'x' or 'X' => "0123456789abcdefABCDEF",
            _ => null,
        };
        int end = digits is null ? start + 1 : Run(source, start + 2, digits, allowLeadingUnderscore: true);
        return digits is not null && end > start + 2 ? end : Run(source, start + 1, "0", allowLeadingUnderscore: true);
    }

    private static int Digits(string source, int start) => Run(source, start, "0123456789", allowLeadingUnderscore: false);

    private static int Run(string source, int start, string digits, bool allowLeadingUnderscore)
    {
        int end = start;
        while (true)
        {
            int next = At(source, end) == '_' && (end > start || allowLeadingUnderscore) ? end + 1 : end;
            if (!digits.Contains(At(source, next), StringComparison.Ordinal))
            {
                return end;
            }

            end = next + 1;
        }
    }

    private static char At(string source, int index) => index < source.Length ? source[index] : '\uffff';
}
