namespace Fastgen.Engine.Text.Unicode;

/// <summary>Looks up the script of a code point.</summary>
internal static class Scripts
{
    /// <summary>What <see cref="Of"/> answers for a code point without a script.</summary>
    public const int None = -1;

    /// <summary>The index into <see cref="ScriptData.Names"/>, or <see cref="None"/>.</summary>
    public static int Of(int codePoint)
    {
        var ranges = ScriptData.Ranges;
        int low = 0, high = (ranges.Length / 3) - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            if (codePoint < ranges[middle * 3])
            {
                high = middle - 1;
            }
            else if (codePoint > ranges[(middle * 3) + 1])
            {
                low = middle + 1;
            }
            else
            {
                return ranges[(middle * 3) + 2];
            }
        }

        return None;
    }

    /// <summary>The index of a script by its long name, or <see cref="None"/>.</summary>
    public static int ByName(string name) =>
        Array.FindIndex(ScriptData.Names, known => string.Equals(Simplify(known), Simplify(name), StringComparison.OrdinalIgnoreCase));

    private static string Simplify(string name) => name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
}
