using System.Globalization;
using System.Text;

namespace Fastgen.Dashboard.Pages;

/// <summary>A small curve of a rate over the last minutes, as SVG.</summary>
internal static class Sparkline
{
    private const int Height = 40;

    /// <summary>Draws <paramref name="values"/> with the newest at the right edge; NaN leaves a gap.</summary>
    /// <param name="ticks">Width of the whole curve in values.</param>
    public static Html Draw(IReadOnlyList<double> values, int ticks, string label)
    {
        double highest = values.Where(double.IsFinite).DefaultIfEmpty(0).Max();
        double scale = highest > 0 ? (Height - 2) / highest : 0;
        var curves = new List<Html>();
        var points = new StringBuilder();
        int from = 0;
        for (var i = 0; i <= values.Count; i++)
        {
            if (i < values.Count && double.IsFinite(values[i]))
            {
                from = points.Length == 0 ? i : from;
                points.Append(CultureInfo.InvariantCulture, $"{X(i)},{Height - 1 - (values[i] * scale):0.#} ");
            }
            else if (points.Length > 0)
            {
                string line = points.ToString().TrimEnd();
                curves.Add(Html.Of($"""<polygon points="{X(from)},{Height} {line} {X(i - 1)},{Height}"/><polyline points="{line}"/>"""));
                points.Clear();
            }
        }

        return Html.Of($"""<svg class="spark" role="img" aria-label="{label}: highest {highest:#,0} per second in two minutes" viewBox="0 0 {ticks - 1} {Height}" preserveAspectRatio="none">{Html.Join(curves)}</svg>""");

        int X(int i) => ticks - values.Count + i;
    }
}
