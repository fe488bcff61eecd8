using System.CommandLine;
using System.Globalization;

namespace Fastgen.Tools.CommandLine;

/// <summary>Options that are numbers, with errors that name value, limit and remedy.</summary>
internal static class NumberOption
{
    /// <param name="byDefault">Null leaves the option open.</param>
    public static Option<int?> Whole(string name, string description, int minimum, int maximum, int? byDefault = null)
    {
        var option = new Option<int?>(name)
        {
            Description = description,
            CustomParser = result =>
            {
                string text = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
                if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= minimum && value <= maximum)
                {
                    return value;
                }

                result.AddError($"{name} is '{text}'; it must be a whole number {Range(minimum, maximum, int.MaxValue)}.");
                return null;
            },
        };
        if (byDefault is not null)
        {
            option.DefaultValueFactory = _ => byDefault;
        }

        return option;
    }

    public static Option<double?> Real(string name, string description, double minimum, double maximum) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= minimum && value <= maximum)
            {
                return value;
            }

            result.AddError($"{name} is '{text}'; it must be a number {Range(minimum, maximum, double.MaxValue)}.");
            return null;
        },
    };

    private static string Range(double minimum, double maximum, double open) => maximum >= open
        ? string.Create(CultureInfo.InvariantCulture, $"from {minimum} on")
        : string.Create(CultureInfo.InvariantCulture, $"from {minimum} to {maximum}");
}
