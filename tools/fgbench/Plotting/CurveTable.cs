using System.Globalization;
using System.Text;

namespace Fastgen.Tools.FgBench.Plotting;

/// <summary>Curves as a Markdown table, a row for each x.</summary>
internal static class CurveTable
{
    public static string Format(IReadOnlyList<Curve> curves, string x, string y)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"| {x} | {string.Join(" | ", curves.Select(curve => $"{curve.Name}, {y}"))} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|{string.Concat(Enumerable.Repeat("---|", curves.Count + 1))}");
        foreach (double at in curves.SelectMany(curve => curve.Points).Select(point => point.X).Distinct().Order())
        {
            text.Append(CultureInfo.InvariantCulture, $"| {at:0.##} |");
            foreach (Curve curve in curves)
            {
                int index = curve.Points.ToList().FindIndex(point => point.X == at);
                text.Append(index < 0 ? " – |" : string.Create(CultureInfo.InvariantCulture, $" {curve.Points[index].Y:N0} |"));
            }

            text.AppendLine();
        }

        return text.ToString().TrimEnd();
    }
}
