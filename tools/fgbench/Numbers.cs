using System.Globalization;

namespace Fastgen.Tools.FgBench;

/// <summary>Lists of numbers on the command line.</summary>
internal static class Numbers
{
    /// <exception cref="ArgumentException">Not whole numbers from 1, separated by commas.</exception>
    public static IReadOnlyList<int> Parse(string text)
    {
        var numbers = new List<int>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            numbers.Add(int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
                ? number
                : throw new ArgumentException($"'{part}' in '{text}' is not a whole number from 1; write for example 1,4,16."));
        }

        return numbers;
    }
}
