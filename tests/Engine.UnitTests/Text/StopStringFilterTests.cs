using Fastgen.Engine.Text;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class StopStringFilterTests
{
    [Fact]
    public void HoldsBackOnlyWhatMayBecomeAStop()
    {
        var filter = new StopStringFilter(["</s>", "\n\n"]);
        Assert.Equal(new StopStringResult("a", false), filter.Append("a<"));
        Assert.Equal(new StopStringResult("", false), filter.Append("/"));
        Assert.Equal(new StopStringResult("</b", false), filter.Append("b\n"));
        Assert.Equal(new StopStringResult("", true), filter.Append("\nrest"));
        Assert.Equal("\n\n", filter.MatchedStop);
        Assert.Equal(new StopStringResult("", true), filter.Append("more"));
        Assert.Equal("", filter.Flush());
    }

    [Fact]
    public void IncludesTheStopWhenAsked() =>
        Assert.Equal(new StopStringResult("ab.", true), new StopStringFilter(["."], includeStopInOutput: true).Append("ab.cd"));

    [Fact]
    public void FlushGivesTheRest()
    {
        var filter = new StopStringFilter(["stop"]);
        Assert.Equal(new StopStringResult("a ", false), filter.Append("a sto"));
        Assert.Equal("sto", filter.Flush());
    }

    [Fact]
    public void EmptyStopsAreRefused() => Assert.Throws<ArgumentException>(() => new StopStringFilter(["a", ""]));

    [Fact]
    public void TheCutDoesNotDependOnChunks()
    {
        var random = new Random(8);
        for (var round = 0; round < 3000; round++)
        {
            var stops = Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomString(random, random.Next(1, 4))).ToArray();
            var text = RandomString(random, random.Next(0, 15));

            // The definition: the shortest beginning of the text that ends with a stop string is cut before the longest such.
            var end = Enumerable.Range(1, text.Length).FirstOrDefault(length => stops.Any(stop => text[..length].EndsWith(stop, StringComparison.Ordinal)));
            var expected = end == 0 ? text : text[..(end - stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).Max(stop => stop.Length))];
            var filter = new StopStringFilter(stops);
            var actual = "";
            var stopped = false;
            for (var at = 0; at < text.Length;)
            {
                var length = random.Next(1, text.Length - at + 1);
                var result = filter.Append(text.Substring(at, length));
                actual += result.Text;
                stopped |= result.Stopped;
                at += length;
            }

            Assert.Equal(end > 0, stopped);
            Assert.Equal(expected, actual + filter.Flush());
        }
    }

    private static string RandomString(Random random, int length) => string.Concat(Enumerable.Range(0, length).Select(_ => "ab"[random.Next(2)]));
}
