using System.Globalization;
using System.Security;
using System.Text;

namespace Fastgen.Tools.FgBench.Plotting;

/// <summary>Draws curves as SVG: x by its logarithm, y from 0, a grid, and a legend.</summary>
internal static class SvgChart
{
    private const int Width = 960;
    private const int Height = 600;
    private const int Left = 90;
    private const int Right = 30;
    private const int Top = 64;
    private const int LegendLine = 22;
    private const int AxisRoom = 64;
    private const int MostYTicks = 8;

    // Colours that also people who see few of them tell apart (Okabe and Ito 2008), each with a shape of its own.
    private static readonly string[] Colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

    /// <summary>Writes a file, whole or not at all.</summary>
    public static void Save(string path, ChartText text, IReadOnlyList<Curve> curves)
    {
        string full = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full + ".part", Draw(text, curves));
        File.Move(full + ".part", full, overwrite: true);
    }

    /// <exception cref="ArgumentException">There is no point to draw, or an x that has no logarithm.</exception>
    public static string Draw(ChartText text, IReadOnlyList<Curve> curves)
    {
        var points = curves.SelectMany(curve => curve.Points).ToList();
        if (points.Count == 0 || points.Any(point => point.X <= 0))
        {
            throw new ArgumentException("A chart needs a point, and every x above 0, since its axis is logarithmic; check the fields and the rows.", nameof(curves));
        }

        string[] sources = [.. curves.Select(curve => curve.Source).OfType<string>().Distinct()];
        var frame = new Frame(points, Height - AxisRoom - (LegendLine * (curves.Count + sources.Length)));
        var svg = new StringBuilder();
        Line(svg, $"""<svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{Height}" viewBox="0 0 {Width} {Height}" font-family="system-ui, sans-serif" font-size="14">""");
        Line(svg, $"""<rect width="{Width}" height="{Height}" fill="#ffffff"/>""");
        Line(svg, $"""<text x="{Left}" y="36" font-size="19" font-weight="600" fill="#111111">{Escape(text.Title)}</text>""");
        DrawGrid(svg, frame, text);
        for (int i = 0; i < curves.Count; i++)
        {
            DrawCurve(svg, frame, curves[i], i);
            DrawLegend(svg, curves[i], i, frame.Bottom + AxisRoom + (LegendLine * i));
        }

        for (int i = 0; i < sources.Length; i++)
        {
            Line(svg, $"""<text x="{Left}" y="{frame.Bottom + AxisRoom + (LegendLine * (curves.Count + i)) + 2}" font-size="12" fill="#555555">Published: {Escape(sources[i])}</text>""");
        }

        Line(svg, $"</svg>");
        return svg.ToString();
    }

    private static void DrawGrid(StringBuilder svg, Frame frame, ChartText text)
    {
        for (double x = Math.Pow(2, Math.Ceiling(Math.Log2(frame.MinX) - 1e-9)); x <= frame.MaxX * 1.0001; x *= 2)
        {
            Line(svg, $"""<line x1="{frame.X(x):F1}" y1="{Top}" x2="{frame.X(x):F1}" y2="{frame.Bottom}" stroke="#e4e4e4"/>""");
            Line(svg, $"""<text x="{frame.X(x):F1}" y="{frame.Bottom + 20}" text-anchor="middle" fill="#333333">{x:#,0.###}</text>""");
        }

        for (double y = 0; y <= frame.MaxY * 1.0001; y += frame.YStep)
        {
            Line(svg, $"""<line x1="{Left}" y1="{frame.Y(y):F1}" x2="{Width - Right}" y2="{frame.Y(y):F1}" stroke="#e4e4e4"/>""");
            Line(svg, $"""<text x="{Left - 8}" y="{frame.Y(y) + 5:F1}" text-anchor="end" fill="#333333">{y:#,0.###}</text>""");
        }

        Line(svg, $"""<path d="M{Left} {Top}V{frame.Bottom}H{Width - Right}" fill="none" stroke="#333333"/>""");
        Line(svg, $"""<text x="{(Left + Width - Right) / 2}" y="{frame.Bottom + 42}" text-anchor="middle" fill="#333333">{Escape(text.XAxis)}</text>""");
        Line(svg, $"""<text transform="translate(22 {(Top + frame.Bottom) / 2}) rotate(-90)" text-anchor="middle" fill="#333333">{Escape(text.YAxis)}</text>""");
    }

    private static void DrawCurve(StringBuilder svg, Frame frame, Curve curve, int index)
    {
        string color = Colors[index % Colors.Length];
        string path = string.Join(' ', curve.Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{frame.X(point.X):F1},{frame.Y(point.Y):F1}")));
        Line(svg, $"""<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.5"{Dashes(curve)}/>""");
        foreach ((double x, double y) in curve.Points)
        {
            Line(svg, $"""<g><title>{Escape(curve.Name)}: {y:#,0.##} at {x:#,0.##}</title>{Marker(index, frame.X(x), frame.Y(y), color)}</g>""");
        }
    }

    private static void DrawLegend(StringBuilder svg, Curve curve, int index, double y)
    {
        string color = Colors[index % Colors.Length];
        Line(svg, $"""<line x1="{Left}" y1="{y}" x2="{Left + 36}" y2="{y}" stroke="{color}" stroke-width="2.5"{Dashes(curve)}/>{Marker(index, Left + 18, y, color)}""");
        Line(svg, $"""<text x="{Left + 46}" y="{y + 5}" fill="#111111">{Escape(curve.Name)}</text>""");
    }

    /// <summary>What was measured elsewhere is dashed.</summary>
    private static string Dashes(Curve curve) => curve.Source is null ? "" : " stroke-dasharray=\"7 4\"";

    private static string Marker(int index, double x, double y, string color) => (index % 3) switch
    {
        0 => Text($"""<circle cx="{x:F1}" cy="{y:F1}" r="4.5" fill="{color}"/>"""),
        1 => Text($"""<rect x="{x - 4:F1}" y="{y - 4:F1}" width="8" height="8" fill="{color}"/>"""),
        _ => Text($"""<path d="M{x:F1} {y - 5.5:F1}l5 9.5h-10z" fill="{color}"/>"""),
    };

    private static void Line(StringBuilder svg, FormattableString text) => svg.Append(Text(text)).Append('\n');

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Escape(string text) => SecurityElement.Escape(text);

    /// <summary>From figures to places on the page.</summary>
    private sealed class Frame
    {
        public Frame(IReadOnlyList<(double X, double Y)> points, double bottom)
        {
            Bottom = bottom;
            MinX = points.Min(point => point.X);
            MaxX = points.Max(point => point.X);
            double most = Math.Max(points.Max(point => point.Y), 1e-9);
            YStep = NiceStep(most / MostYTicks);
            MaxY = Math.Ceiling(most / YStep) * YStep;
        }

        public double Bottom { get; }

        public double MinX { get; }

        public double MaxX { get; }

        public double MaxY { get; }

        public double YStep { get; }

        public double X(double value) => MinX == MaxX
            ? (Left + Width - Right) / 2.0
            : Left + 12 + ((Width - Right - Left - 24) * Math.Log(value / MinX) / Math.Log(MaxX / MinX));

        public double Y(double value) => Bottom - ((Bottom - Top) * value / MaxY);

        /// <summary>1, 2 or 5 times a power of ten, no less than asked.</summary>
        private static double NiceStep(double least)
        {
            double power = Math.Pow(10, Math.Floor(Math.Log10(least)));
            double factor = least / power;
            return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
        }
    }
}
