using System.Globalization;
using System.Text.Json.Nodes;

namespace Fastgen.Tools.FgBench.Serving;

/// <summary>The same load through a server and straight on the engine, by turns.</summary>
internal static class ServeComparison
{
    /// <returns>0; 1 when the two gave different texts.</returns>
    public static async Task<int> RunAsync(IServeTarget server, IServeTarget engine, ServeLoad load, int rounds, string model, BenchLog log, CancellationToken cancel)
    {
        // A whole run of each is not counted: this process compiles its own code anew during it, on the processors that it measures.
        foreach (IServeTarget target in (IServeTarget[])[server, engine])
        {
            await load.Warmup.RunAsync(target, null, cancel);
            await load.RunAsync(target, "warming up", cancel);
        }

        var through = new List<ServeOutcome>();
        var straight = new List<ServeOutcome>();
        for (int round = 1; round <= rounds; round++)
        {
            // There and back again, so that a machine that becomes slower or faster steadily favours neither.
            bool serverFirst = round % 2 == 1;
            await RunAsync(serverFirst, round);
            await RunAsync(!serverFirst, round);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}: {through[^1].TokensPerSecond / straight[^1].TokensPerSecond:F3}"));
        }

        double[] ratios = [.. through.Zip(straight, (server, engine) => server.TokensPerSecond / engine.TokensPerSecond).Order()];
        double ratio = Median(ratios);
        double serverMedian = Median([.. through.Select(run => run.TokensPerSecond).Order()]);
        double engineMedian = Median([.. straight.Select(run => run.TokensPerSecond).Order()]);
        bool isSame = through.Concat(straight).Select(run => run.Hash).Distinct().Count() == 1;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"server {serverMedian:N0} tok/s, engine {engineMedian:N0} tok/s (medians of {rounds}); ratio of a round: median {ratio:F3}, from {ratios[0]:F3} to {ratios[^1]:F3}; "
            + $"{(isSame ? "all texts the same" : "THE TEXTS DIFFER")}"));
        log.Add(new JsonObject
        {
            ["bench"] = "serve",
            ["target"] = "server and engine by turns",
            ["model"] = model,
            ["requests"] = load.Requests,
            ["concurrency"] = load.RatePerSecond is null ? load.Concurrency : null,
            ["ratePerSecond"] = load.RatePerSecond,
            ["maxTokens"] = load.MaxTokens,
            ["prompt"] = load.PromptTokens,
            ["rounds"] = rounds,
            ["serverTokensPerSecond"] = Rates(through),
            ["engineTokensPerSecond"] = Rates(straight),
            ["medianRatio"] = ratio,
            ["sameTexts"] = isSame,
        });
        return isSame ? 0 : 1;

        async Task RunAsync(bool onServer, int round)
        {
            string name = onServer ? "server" : "engine";
            ServeOutcome outcome = await load.RunAsync(onServer ? server : engine, $"{name}, round {round} of {rounds}", cancel);
            (onServer ? through : straight).Add(outcome);
            Console.WriteLine($"{name}: {outcome}");
        }
    }

    private static JsonArray Rates(List<ServeOutcome> runs) => [.. runs.Select(run => (JsonNode)Math.Round(run.TokensPerSecond, 1))];

    private static double Median(double[] ordered) => (ordered[(ordered.Length - 1) / 2] + ordered[ordered.Length / 2]) / 2;
}
