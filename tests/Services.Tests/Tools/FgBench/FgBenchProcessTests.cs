using System.Text.Json;
using System.Xml.Linq;
using Fastgen.Services.Tests.Architecture;

namespace Fastgen.Services.Tests.Tools.FgBench;

public sealed class FgBenchProcessTests : IDisposable
{
    private static readonly string[] Engine = ["--model", DemoServer.Model, "--device", "cpu", "--threads", "1", "--kv-cache-gb", "0.1"];

    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-bench-").FullName;

    private string Rows => Path.Combine(_folder, "rows.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("throughput")]
    [InlineData("latency")]
    [InlineData("interference")]
    [InlineData("serve")]
    [InlineData("kernels")]
    [InlineData("decode")]
    [InlineData("plot")]
    public async Task Every_command_explains_itself_with_examples(string command)
    {
        await using ToolProcess help = ToolProcess.Start("fgbench", command, "--help");

        Assert.Equal(0, await help.ExitCodeAsync());
        Assert.Contains($"fgbench {command} --", help.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_sweep_appends_rows_draws_them_and_plot_draws_them_again()
    {
        string published = Path.Combine(SourceTree.Root, "docs", "bench", "published-mistral-7b.json");
        string swept = Path.Combine(_folder, "swept.svg"), again = Path.Combine(_folder, "again.svg");
        string output = await RunAsync(["throughput", .. Engine, "--sweep", "--decode", "4,8,16", "--requests", "3", "--prompt", "20", "--compare", published, "--plot", swept, "--out", Rows]);

        JsonElement[] rows = ReadRows();
        Assert.Equal([4, 8, 16], rows.Select(row => row.GetProperty("decode").GetInt32()));
        Assert.All(rows, row =>
        {
            Assert.Equal(("throughput", "demo", 3, 20), (row.GetProperty("bench").GetString(), row.GetProperty("model").GetString(), row.GetProperty("requests").GetInt32(), row.GetProperty("prompt").GetInt32()));
            double rate = row.GetProperty("requests").GetInt32() * row.GetProperty("decode").GetInt32() / row.GetProperty("seconds").GetDouble();
            Assert.Equal(rate, row.GetProperty("generatedTokensPerSecond").GetDouble(), rate * 1e-9);
            Assert.True(row.GetProperty("kvCacheTokens").GetInt64() > 0);
        });
        Assert.Contains("| 2048 | – | 5,800 | 5,668 |", output, StringComparison.Ordinal);
        Assert.Equal(3, Polylines(swept).Length);

        await RunAsync("plot", "--rows", Rows, "--where", "model=demo", "--where", "requests=3", "--compare", published, "--plot", again);
        Assert.Equal(Polylines(swept), Polylines(again));
    }

    [Fact]
    public async Task Latency_measures_every_combination()
    {
        await RunAsync(["latency", .. Engine, "--requests", "1,3", "--prompt", "10,40", "--decode", "6", "--repeat", "2", "--rate", "200", "--out", Rows]);

        JsonElement[] rows = ReadRows();
        Assert.Equal([(1, 10), (1, 40), (3, 10), (3, 40)], rows.Select(row => (row.GetProperty("requests").GetInt32(), row.GetProperty("prompt").GetInt32())));
        Assert.All(rows, row =>
        {
            Assert.True(row.GetProperty("firstTokenMsP50").GetDouble() > 0);
            Assert.True(row.GetProperty("firstTokenMsP50").GetDouble() <= row.GetProperty("firstTokenMsP99").GetDouble());
            // Two runs of so many steps at least.
            Assert.True(row.GetProperty("steps").GetInt64() >= 2 * 6);
        });
    }

    [Fact]
    public async Task Interference_tells_before_during_and_after()
    {
        string output = await RunAsync(["interference", .. Engine, "--streams", "3", "--prompt", "16", "--long-prompt", "400", "--long-decode", "2", "--pause", "10", "--repeat", "2", "--max-step-tokens", "64", "--out", Rows]);

        JsonElement row = Assert.Single(ReadRows());
        Assert.Contains("| while the prompt is computed |", output, StringComparison.Ordinal);
        Assert.Equal(64, row.GetProperty("maxStepTokens").GetInt32());
        Assert.True(row.GetProperty("beforeCount").GetInt32() >= 3 * 9);
        Assert.True(row.GetProperty("afterCount").GetInt32() >= 3 * 9);
        // 400 tokens in steps of 64 are seven steps at least, and every stream is in each of them.
        Assert.True(row.GetProperty("duringCount").GetInt32() >= 2 * 3);
        Assert.True(row.GetProperty("longFirstTokenMsMax").GetDouble() > 0);
    }

    [Theory]
    [InlineData("'17,x'", "throughput", "--decode", "17,x")]
    [InlineData("no/such/model", "latency", "--model", "no/such/model")]
    [InlineData("'nothing'", "plot", "--rows", "x.jsonl", "--where", "nothing")]
    [InlineData("'tpu'", "kernels", "--device", "tpu")]
    [InlineData("raise it to 65", "interference", "--max-batch", "64")]
    [InlineData("'here'", "serve", "--url", "here")]
    [InlineData("from 1 to", "serve", "--requests", "0")]
    public async Task Mistakes_are_told_in_a_line(string words, params string[] arguments)
    {
        await using ToolProcess tool = ToolProcess.StartIn(TestFolder(), ToolProcess.PathOf("fgbench"), arguments);

        Assert.Equal(1, await tool.ExitCodeAsync());
        Assert.Contains(words, tool.Error, StringComparison.Ordinal);
        Assert.StartsWith("fgbench: ", tool.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", tool.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_of_a_bare_config_has_text_and_says_what_it_takes()
    {
        await using ToolProcess server = ToolProcess.Start("fgserve", Path.Combine(SourceTree.Root, "models", "shapes", "demo"), "--dummy-weights", "--no-prefix-cache", "--max-step-tokens", "128", "--gpu-memory", "0.5", "--backend", "cpu", "--threads", "1", "--kv-cache-gb", "0.05", "--port", "0");
        await server.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        Assert.Contains("of random numbers", server.Error, StringComparison.Ordinal);
        Assert.Contains("KV cache: 0.05 GB", server.Error, StringComparison.Ordinal);
        string output = await RunAsync("serve", "--url", ServedModel.AddressIn(server.Output).GetLeftPart(UriPartial.Authority), "--model", "models/shapes/demo",
            "--token-prompts", "--prompt", "8", "--vocabulary", "200", "--requests", "4", "--concurrency", "4", "--max-tokens", "20", "--repeat", "1", "--out", Rows);

        JsonElement row = Assert.Single(ReadRows());
        // Four answers of no text would be three zeros.
        Assert.NotEqual("709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c", row.GetProperty("texts").GetString());
        Assert.True(row.GetProperty("betweenPiecesMsP99").GetDouble() > 0, output);
    }

    private static string TestFolder() => AppContext.BaseDirectory;

    private static string[] Polylines(string path) => [.. XDocument.Load(path).Descendants(XName.Get("polyline", "http://www.w3.org/2000/svg")).Select(line => (string)line.Attribute("points")!)];

    private static async Task<string> RunAsync(params string[] arguments)
    {
        await using ToolProcess tool = ToolProcess.Start("fgbench", arguments);
        Assert.True(await tool.ExitCodeAsync() == 0, tool.Output + tool.Error);
        return tool.Output;
    }

    private JsonElement[] ReadRows() => [.. File.ReadLines(Rows).Select(line => JsonDocument.Parse(line).RootElement)];
}
