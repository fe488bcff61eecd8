using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine;
using Fastgen.Tools.CommandLine;
using Fastgen.Tools.FgBench.Serving;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench serve: many streams, through a server or straight on the engine in this process.</summary>
internal static class ServeCommand
{
    private const string KeyVariable = "OPENAI_API_KEY";
    private const int DefaultVocabulary = 4000;

    public static Command Create()
    {
        var url = new Option<string?>("--url") { Description = "Server to ask, such as http://127.0.0.1:5678, with or without /v1; without it the engine runs in this process." };
        var name = new Option<string?>("--served-model-name") { Description = "What the server calls the model [default: the last part of --model]." };
        var ids = new Option<bool>("--token-prompts") { Description = "Prompts of random token ids to /v1/completions instead of chats; so with --dummy-weights." };
        var vocabulary = new Option<int>("--vocabulary") { Description = "Token ids of such prompts are below it.", DefaultValueFactory = _ => DefaultVocabulary };
        var prompt = NumberOption.Whole("--prompt", "Length of such prompts.", 1, 1 << 24, 32);
        var concurrency = NumberOption.Whole("--concurrency", "Streams at once.", 1, 65536, 64);
        var rate = NumberOption.Real("--rate", "Requests per second, at the times of a Poisson process, whether earlier ones are done or not [default: --concurrency at once].", 0.001, 1e6);
        var seed = new Option<int>("--seed") { Description = "Of the arrivals.", DefaultValueFactory = _ => 1 };
        var requests = NumberOption.Whole("--requests", "Requests in all.", 1, 1 << 24, 256);
        var maxTokens = NumberOption.Whole("--max-tokens", "Tokens of each; end-of-sequence is ignored.", 1, 1 << 24, 128);
        var plain = new Option<bool>("--plain") { Description = "Send only OpenAI's own fields: answers may end early, since ignore_eos is an extension (of vLLM, SGLang and fgserve)." };
        var noPrefixCache = new Option<bool>("--no-prefix-cache") { Description = "Compute every prompt anew (engine in this process; fgserve has the same option)." };
        var repeat = NumberOption.Whole("--repeat", "Runs; the best counts.", 1, 1000, 3);
        var compare = new Option<bool>("--compare") { Description = "With --url: by turns the same load straight on the engine in this process, so that a machine whose speed changes treats both alike; the median ratio counts." };
        var apiKey = new Option<string?>("--api-key") { Description = $"Key of the server [default: the environment's {KeyVariable}]." };
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("serve", """
            Measures the speed and the latencies of many greedy streams, and a hash over all their texts: two runs of the same load have
            the same hash when no token was lost, repeated or changed. Works against any server with OpenAI's API.

            Examples:
              fgbench serve --model models/demo --concurrency 64 --requests 256 --max-tokens 128
              fgbench serve --url http://127.0.0.1:5678 --model models/demo --rate 20 --seed 7 --requests 200
              fgbench serve --url http://127.0.0.1:8080 --model models/demo --compare --repeat 10
              fgbench serve --url http://127.0.0.1:5678 --model models/shapes/mistral-7b --token-prompts --prompt 1024 --concurrency 512 --requests 512
              OPENAI_API_KEY=... fgbench serve --url https://api.example.com/v1 --served-model-name some-model --plain --concurrency 8
            """)
        { url, name, ids, vocabulary, prompt, concurrency, rate, seed, requests, maxTokens, plain, noPrefixCache, repeat, compare, apiKey, log };
        var setup = new EngineSetup(command, "models/demo", 256);
        command.SetAction(async (result, cancel) =>
        {
            var load = new ServeLoad(
                result.GetValue(requests)!.Value,
                Math.Min(result.GetValue(concurrency)!.Value, result.GetValue(requests)!.Value),
                result.GetValue(rate),
                result.GetValue(seed),
                result.GetValue(maxTokens)!.Value,
                result.GetValue(ids) || setup.DummyWeights(result) ? result.GetValue(prompt) : null,
                result.GetValue(vocabulary),
                result.GetValue(plain));
            string model = setup.Model(result);
            string served = result.GetValue(name) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(model));
            if (result.GetValue(url) is { } address)
            {
                string? key = result.GetValue(apiKey) ?? (Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } given ? given : null);
                await using var server = new HttpServeTarget(ParseUrl(address), served, key, load);
                if (result.GetValue(compare))
                {
                    LlmEngine straight = await EngineSetup.LoadAsync(model, setup.Options(result, null), cancel);
                    await using var reference = new EngineServeTarget(straight, load);
                    return await ServeComparison.RunAsync(server, reference, load, result.GetValue(repeat)!.Value, served, new BenchLog(result.GetValue(log)), cancel);
                }

                return await RunAsync(server, load, result.GetValue(repeat)!.Value, new JsonObject { ["bench"] = "serve", ["target"] = "server", ["model"] = served }, new BenchLog(result.GetValue(log)), cancel);
            }

            if (result.GetValue(compare))
            {
                throw new ArgumentException("--compare needs a server to compare the engine with; name it with --url.");
            }

            EngineOptions options = setup.Options(result, null) with { EnablePrefixCache = !result.GetValue(noPrefixCache) };
            LlmEngine engine = await EngineSetup.LoadAsync(model, options, cancel);
            await using var target = new EngineServeTarget(engine, load);
            JsonObject row = BenchRows.Start("serve", model, engine, options);
            row["target"] = "engine";
            row["prefixCache"] = options.EnablePrefixCache;
            return await RunAsync(target, load, result.GetValue(repeat)!.Value, row, new BenchLog(result.GetValue(log)), cancel);
        });
        return command;
    }

    private static Uri ParseUrl(string text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
        ? address
        : throw new ArgumentException($"--url is '{text}'; it must be an address such as http://127.0.0.1:5678.");

    private static async Task<int> RunAsync(IServeTarget target, ServeLoad load, int repeat, JsonObject row, BenchLog log, CancellationToken cancel)
    {
        await load.Warmup.RunAsync(target, null, cancel);
        string shape = load.RatePerSecond is { } rate
            ? string.Create(CultureInfo.InvariantCulture, $"{load.Requests} requests at {rate:0.###}/s")
            : $"{load.Requests} requests, {load.Concurrency} at once";
        ServeOutcome? best = null;
        for (int run = 0; run < repeat; run++)
        {
            ServeOutcome outcome = await load.RunAsync(target, $"{shape}, run {run + 1} of {repeat}", cancel);
            Console.WriteLine($"{shape}, {load.MaxTokens} tokens each: {outcome}");
            best = best is null || outcome.TokensPerSecond > best.TokensPerSecond ? outcome : best;
        }

        row["requests"] = load.Requests;
        row["concurrency"] = load.RatePerSecond is null ? load.Concurrency : null;
        row["ratePerSecond"] = load.RatePerSecond;
        row["seed"] = load.Seed;
        row["prompt"] = load.PromptTokens;
        row["maxTokens"] = load.MaxTokens;
        row["tokensPerSecond"] = best!.TokensPerSecond;
        row["seconds"] = best.Seconds;
        row["firstTokenMsP50"] = best.FirstMs.P50;
        row["firstTokenMsP90"] = best.FirstMs.P90;
        row["firstTokenMsP99"] = best.FirstMs.P99;
        row["betweenPiecesMsP50"] = best.BetweenMs.P50;
        row["betweenPiecesMsP90"] = best.BetweenMs.P90;
        row["betweenPiecesMsP99"] = best.BetweenMs.P99;
        row["clientCpuSeconds"] = best.CpuSeconds;
        row["texts"] = best.Hash;
        log.Add(row);
        return 0;
    }
}
