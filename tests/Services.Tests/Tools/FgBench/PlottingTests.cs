using System.Globalization;
using System.Xml.Linq;
using Fastgen.Services.Tests.Architecture;
using Fastgen.Tools.FgBench.Plotting;

namespace Fastgen.Services.Tests.Tools.FgBench;

public sealed class PlottingTests : IDisposable
{
    private static readonly ChartText Text = new("A <title> & more", "x", "y");

    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-plot-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void X_is_logarithmic_and_y_begins_at_zero()
    {
        XDocument svg = XDocument.Parse(SvgChart.Draw(Text, [new Curve("ours", [(16, 100), (32, 200), (128, 400)])]));

        (double X, double Y)[] places = Places(Assert.Single(Elements(svg, "polyline")));
        double octave = places[1].X - places[0].X;
        Assert.Equal(2 * octave, places[2].X - places[1].X, 0.3);
        Assert.Equal(2 * (places[0].Y - places[1].Y), places[1].Y - places[2].Y, 0.3);
        // The line of zero is as far below 100 as 100 is below 200.
        double zero = Elements(svg, "line").Select(line => (double)line.Attribute("y2")!).Where(y => y < 560).Max();
        Assert.Contains(Elements(svg, "line"), line => Math.Abs((double)line.Attribute("y1")! - (places[0].Y + (places[0].Y - places[1].Y))) < 0.3);
        Assert.True(zero > places[0].Y);
    }

    [Fact]
    public void Every_curve_is_in_the_legend_and_what_was_published_is_dashed_with_its_source()
    {
        XDocument svg = XDocument.Parse(SvgChart.Draw(Text, [new Curve("a < b", [(1, 1), (2, 2)]), new Curve("theirs", [(1, 3)]) { Source = "a paper & more" }]));

        string[] texts = [.. Elements(svg, "text").Select(element => element.Value)];
        Assert.Contains("A <title> & more", texts);
        Assert.Contains("a < b", texts);
        Assert.Contains("theirs", texts);
        Assert.Contains("Published: a paper & more", texts);
        XElement[] lines = [.. Elements(svg, "polyline")];
        Assert.Null(lines[0].Attribute("stroke-dasharray"));
        Assert.NotNull(lines[1].Attribute("stroke-dasharray"));
        Assert.NotEqual((string?)lines[0].Attribute("stroke"), (string?)lines[1].Attribute("stroke"));
    }

    [Fact]
    public void A_single_point_is_drawn_inside_the_frame()
    {
        XDocument svg = XDocument.Parse(SvgChart.Draw(Text, [new Curve("one", [(128, 0)])]));

        (double x, double y) = Assert.Single(Places(Assert.Single(Elements(svg, "polyline"))));
        Assert.InRange(x, 1, 959);
        Assert.InRange(y, 1, 599);
    }

    [Fact]
    public void No_points_and_a_zero_on_the_logarithmic_axis_are_refused()
    {
        Assert.Throws<ArgumentException>(() => SvgChart.Draw(Text, []));
        Assert.Throws<ArgumentException>(() => SvgChart.Draw(Text, [new Curve("zero", [(0, 1)])]));
    }

    [Fact]
    public void Rows_become_curves_and_the_last_of_a_point_counts()
    {
        string path = File("rows.jsonl", """
            {"bench":"throughput","model":"m","requests":512,"device":"A","decode":32,"tok":9}
            {"bench":"throughput","model":"m","requests":512,"device":"A","decode":16,"tok":5}

            {"bench":"throughput","model":"m","requests":512,"device":"B","decode":16,"tok":6}
            {"bench":"throughput","model":"other","requests":512,"device":"A","decode":16,"tok":70}
            {"bench":"throughput","model":"m","requests":1,"device":"A","decode":16,"tok":80}
            {"bench":"throughput","model":"m","requests":512,"device":"A","decode":16,"tok":7.5}
            {"bench":"throughput","model":"m","requests":512,"device":"A","decode":64,"tok":null}
            """);

        IReadOnlyList<Curve> curves = RowFile.Read(path, "decode", "tok", "device", new Dictionary<string, string> { ["model"] = "m", ["requests"] = "512" });

        Assert.Equal(["A", "B"], curves.Select(curve => curve.Name));
        Assert.Equal([(16.0, 7.5), (32.0, 9.0)], curves[0].Points);
        Assert.Equal([(16.0, 6.0)], curves[1].Points);
    }

    [Fact]
    public void A_damaged_row_is_named_by_its_line()
    {
        string path = File("rows.jsonl", "{}\n{\"a\":\n");

        Assert.Contains("Line 2", Assert.Throws<InvalidDataException>(() => RowFile.Read(path, "x", "y", "z", new Dictionary<string, string>())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{\"curves\":[{\"name\":\"a\"}]}")]
    [InlineData("{\"curves\":[{\"name\":\"a\",\"points\":[[1]]}]}")]
    public void A_file_that_holds_no_curves_is_refused_with_the_form(string content)
    {
        string path = File("curves.json", content);

        Assert.Contains("\"points\"", Assert.Throws<InvalidDataException>(() => CurveFile.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_published_curves_have_the_lengths_of_the_sweep()
    {
        IReadOnlyList<Curve> curves = CurveFile.Read(Path.Combine(SourceTree.Root, "docs", "bench", "published-mistral-7b.json"));

        Assert.Equal(2, curves.Count);
        Assert.All(curves, curve =>
        {
            Assert.Equal([16.0, 27, 47, 81, 138, 237, 406, 697, 1195, 2048], curve.Points.Select(point => point.X));
            Assert.NotNull(curve.Source);
        });
    }

    [Fact]
    public void The_table_has_a_row_for_every_length_of_any_curve()
    {
        string[] lines = CurveTable.Format([new Curve("a", [(16, 1234.4), (32, 2)]), new Curve("b", [(16, 3)])], "n", "tok/s").Split('\n');

        Assert.Equal(["| n | a, tok/s | b, tok/s |", "|---|---|---|", "| 16 | 1,234 | 3 |", "| 32 | 2 | – |"], lines);
    }

    private static IEnumerable<XElement> Elements(XDocument svg, string name) => svg.Descendants(XName.Get(name, "http://www.w3.org/2000/svg"));

    private static (double X, double Y)[] Places(XElement polyline) => [.. ((string)polyline.Attribute("points")!).Split(' ').Select(pair => pair.Split(',')).Select(pair =>
        (double.Parse(pair[0], CultureInfo.InvariantCulture), double.Parse(pair[1], CultureInfo.InvariantCulture)))];

    private string File(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        System.IO.File.WriteAllText(path, content);
        return path;
    }
}
