using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine;
using Fastgen.Tools.CommandLine;
using Fastgen.Tools.FgBench.Loads;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench latency: what single users see, by batch size and lengths.</summary>
internal static class LatencyCommand
{
    public static Command Create()
    {
        var requests = new Option<string>("--requests") { Description = "Requests that run together, separated by commas.", DefaultValueFactory = _ => "1,8,32,128" };
        var prompts = new Option<string>("--prompt") { Description = "Prompt tokens, separated by commas; every combination is measured.", DefaultValueFactory = _ => "128,1024" };
        var decodes = new Option<string>("--decode") { Description = "Tokens to generate, separated by commas.", DefaultValueFactory = _ => "128" };
        var repeat = NumberOption.Whole("--repeat", "Runs of each combination; percentiles are over all of them.", 1, 1000, 3);
        var rate = NumberOption.Real("--rate", "Requests per second, at the times of a Poisson process [default: all at once].", 0.001, 1e6);
        var seed = new Option<int>("--seed") { Description = "Of prompts and arrivals.", DefaultValueFactory = _ => 1 };
        var temperature = new Option<float>("--temperature") { Description = "0 is greedy.", DefaultValueFactory = _ => 0f };
        var topP = new Option<float>("--top-p") { Description = "Nucleus sampling; 1 turns it off.", DefaultValueFactory = _ => 1f };
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("latency", """
            Measures time to first token, time between tokens and the gap that the host leaves between steps, for each batch size, prompt
            and decode length. Prefix cache off, end-of-sequence ignored.

            Examples:
              fgbench latency --model models/shapes/mistral-7b --dummy-weights --requests 1,8,32,128 --prompt 1024 --out docs/bench/gpu.jsonl
              fgbench latency --model models/shapes/mistral-7b --dummy-weights --requests 200 --rate 10 --repeat 1
              fgbench latency --model models/demo --device cpu --requests 1,4 --prompt 64 --decode 64
            """)
        { requests, prompts, decodes, repeat, rate, seed, temperature, topP, log };
        var setup = new EngineSetup(command, "models/shapes/mistral-7b", 256);
        command.SetAction(async (result, cancel) =>
        {
            IReadOnlyList<int> counts = Numbers.Parse(result.GetValue(requests)!), promptLengths = Numbers.Parse(result.GetValue(prompts)!), decodeLengths = Numbers.Parse(result.GetValue(decodes)!);
            string model = setup.Model(result);
            EngineOptions options = setup.Options(result, promptLengths.Max() + decodeLengths.Max() + 1);
            BenchLog rows = new(result.GetValue(log));
            await using LlmEngine engine = await EngineSetup.LoadAsync(model, options, cancel);
            foreach (int count in counts)
            {
                foreach (int prompt in promptLengths)
                {
                    foreach (int decode in decodeLengths)
                    {
                        var load = new EngineLoad(count, prompt, decode, result.GetValue(temperature), result.GetValue(topP), result.GetValue(rate), result.GetValue(seed));
                        await MeasureAsync(engine, model, options, load, result.GetValue(repeat)!.Value, rows, cancel);
                    }
                }
            }

            return 0;
        });
        return command;
    }

    private static async Task MeasureAsync(LlmEngine engine, string model, EngineOptions options, EngineLoad load, int repeat, BenchLog log, CancellationToken cancel)
    {
        // The batch size's graph, tuned products and the runtime's own compiler settle first.
        await (load with { PromptTokens = Math.Min(64, load.PromptTokens), DecodeTokens = Math.Min(8, load.DecodeTokens), RatePerSecond = null }).RunAsync(engine, null, cancel);
        LoadOutcome outcome = LoadOutcome.Join([.. await RepeatAsync()]);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{load.Requests} x {load.PromptTokens} + {load.DecodeTokens}{(load.RatePerSecond is { } rate ? $" at {rate:0.###}/s" : "")}: {outcome.Latencies}; {outcome.GeneratedTokensPerSecond:N0} generated tok/s"));
        JsonObject row = BenchRows.Start("latency", model, engine, options);
        outcome.WriteTo(row);
        row["repeat"] = repeat;
        log.Add(row);

        async Task<List<LoadOutcome>> RepeatAsync()
        {
            var outcomes = new List<LoadOutcome>();
            for (int run = 0; run < repeat; run++)
            {
                // Other prompts each time.
                outcomes.Add(await (load with { Seed = load.Seed + run }).RunAsync(engine, $"{load.Requests} x {load.PromptTokens} + {load.DecodeTokens}, run {run + 1} of {repeat}", cancel));
            }

            return outcomes;
        }
    }
}
