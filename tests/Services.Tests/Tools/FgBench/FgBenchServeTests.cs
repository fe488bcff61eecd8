using System.Text.Json;

namespace Fastgen.Services.Tests.Tools.FgBench;

public sealed class FgBenchServeTests(DemoServer server) : IClassFixture<DemoServer>, IDisposable
{
    private const string KeyVariable = "OPENAI_API_KEY";

    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-serve-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData()]
    [InlineData("--token-prompts", "--prompt", "24", "--vocabulary", "500")]
    public async Task Arrivals_bursts_and_the_engine_itself_give_the_same_texts(params string[] prompts)
    {
        string[] load = ["--model", DemoServer.Model, "--requests", "12", "--max-tokens", "10", "--repeat", "1", .. prompts];
        JsonElement arriving = await MeasureAsync([.. load, "--url", server.Address, "--rate", "80", "--seed", "5"]);
        JsonElement burst = await MeasureAsync([.. load, "--url", server.Address + "/v1/", "--concurrency", "4"]);
        JsonElement direct = await MeasureAsync([.. load, "--concurrency", "12", "--device", "cpu", "--threads", "1", "--kv-cache-gb", "0.1"]);

        Assert.Equal("server", arriving.GetProperty("target").GetString());
        Assert.Equal("engine", direct.GetProperty("target").GetString());
        Assert.Equal(80, arriving.GetProperty("ratePerSecond").GetDouble());
        Assert.Equal(4, burst.GetProperty("concurrency").GetInt32());
        string texts = arriving.GetProperty("texts").GetString()!;
        Assert.Equal(64, texts.Length);
        Assert.Equal(texts, burst.GetProperty("texts").GetString());
        Assert.Equal(texts, direct.GetProperty("texts").GetString());
        foreach (JsonElement row in new[] { arriving, burst, direct })
        {
            Assert.True(row.GetProperty("tokensPerSecond").GetDouble() > 0);
            foreach (string name in new[] { "firstTokenMs", "betweenPiecesMs" })
            {
                double[] ascending = [.. new[] { "P50", "P90", "P99" }.Select(share => row.GetProperty(name + share).GetDouble())];
                Assert.Equal(ascending.Order(), ascending);
                Assert.True(ascending[^1] > 0);
            }
        }

        // The last of twelve arrives after the times that the seed gives; nothing can be faster.
        double last = Fastgen.Tools.FgBench.Loads.Arrivals.Milliseconds(12, 80, 5)[^1];
        Assert.True(arriving.GetProperty("seconds").GetDouble() * 1e3 >= last);
    }

    [Fact]
    public async Task Without_the_key_it_fails_with_the_servers_words()
    {
        await using ToolProcess tool = ToolProcess.StartWith(new Dictionary<string, string> { [KeyVariable] = "" }, "fgbench", "serve", "--url", server.Address, "--model", DemoServer.Model, "--requests", "1");

        Assert.Equal(1, await tool.ExitCodeAsync());
        string line = Assert.Single(tool.Error.Trim().Split('\n'));
        Assert.StartsWith("fgbench: Request 0 was answered 401", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_plain_fields_answers_may_end_early()
    {
        JsonElement row = await MeasureAsync("--url", server.Address, "--model", DemoServer.Model, "--requests", "4", "--concurrency", "2", "--max-tokens", "200", "--repeat", "1", "--plain");

        double tokens = row.GetProperty("tokensPerSecond").GetDouble() * row.GetProperty("seconds").GetDouble();
        // Sums, a haiku and a greeting: the model ends them long before the limit.
        Assert.InRange(tokens, 4, 799);
    }

    private async Task<JsonElement> MeasureAsync(params string[] arguments)
    {
        string rows = Path.Combine(_folder, "rows.jsonl");
        await using ToolProcess tool = ToolProcess.StartWith(new Dictionary<string, string> { [KeyVariable] = DemoServer.Key }, "fgbench", ["serve", .. arguments, "--out", rows]);
        Assert.True(await tool.ExitCodeAsync() == 0, tool.Output + tool.Error);
        return JsonDocument.Parse((await File.ReadAllLinesAsync(rows))[^1]).RootElement;
    }
}
