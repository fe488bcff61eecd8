using System.Xml.Linq;
using Fastgen.Dashboard.Pages;

namespace Fastgen.Services.Tests.Dashboard;

public sealed class SparklineTests
{
    [Fact]
    public void The_newest_value_is_at_the_right_edge_and_the_highest_at_the_top()
    {
        XElement svg = Draw([0, 50, 100]);
        Assert.Equal("0 0 9 40", svg.Attribute("viewBox")!.Value);
        Assert.Equal(["7,39 8,20 9,1"], Lines(svg));
        Assert.Contains("highest 100 per second", svg.Attribute("aria-label")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_not_known_is_a_gap() => Assert.Equal(["5,1", "8,1 9,1"], Lines(Draw([4, double.NaN, double.NaN, 4, 4])));

    [Fact]
    public void Nothing_and_nothing_but_zeros_are_drawn_without_a_scale()
    {
        Assert.Empty(Lines(Draw([])));
        Assert.Equal(["8,39 9,39"], Lines(Draw([0, 0])));
    }

    private static XElement Draw(double[] values) => XElement.Parse(Sparkline.Draw(values, 10, "Tokens").ToString());

    private static IEnumerable<string> Lines(XElement svg) => svg.Descendants("polyline").Select(line => line.Attribute("points")!.Value);
}
