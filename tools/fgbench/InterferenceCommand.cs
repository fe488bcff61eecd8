using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine;
using Fastgen.Tools.CommandLine;
using Fastgen.Tools.FgBench.Loads;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench interference: what running streams feel when a long prompt arrives.</summary>
internal static class InterferenceCommand
{
    public static Command Create()
    {
        var streams = NumberOption.Whole("--streams", "Streams that decode.", 1, 65535, 64);
        var prompt = NumberOption.Whole("--prompt", "Prompt tokens of each stream.", 1, 1 << 24, 1024);
        var longPrompt = NumberOption.Whole("--long-prompt", "Tokens of the prompt that arrives beside them.", 1, 1 << 24, 32_000);
        var longDecode = NumberOption.Whole("--long-decode", "Tokens to generate for it.", 1, 1 << 24, 16);
        var pause = NumberOption.Whole("--pause", "Tokens that every stream gets before a long prompt and after it: what 'before' and 'after' are taken from.", 1, 1 << 20, 100);
        var repeat = NumberOption.Whole("--repeat", "Long prompts, one after the other.", 1, 1000, 3);
        var seed = new Option<int>("--seed") { Description = "Of the prompts.", DefaultValueFactory = _ => 1 };
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("interference", """
            Measures the time between the tokens of running streams before, while and after a long prompt is computed beside them, and the
            long prompt's time to first token. --max-step-tokens sets the budget of a step: less makes the streams wait less and the prompt more.

            Examples:
              fgbench interference --model models/shapes/mistral-7b --dummy-weights --out docs/bench/gpu.jsonl
              fgbench interference --model models/shapes/mistral-7b --dummy-weights --max-step-tokens 2048
              fgbench interference --model models/demo --device cpu --streams 4 --prompt 32 --long-prompt 600 --pause 20
            """)
        { streams, prompt, longPrompt, longDecode, pause, repeat, seed, log };
        var setup = new EngineSetup(command, "models/shapes/mistral-7b", 256);
        command.SetAction(async (result, cancel) =>
        {
            string model = setup.Model(result);
            var load = new InterferenceLoad(
                result.GetValue(streams)!.Value, result.GetValue(prompt)!.Value, result.GetValue(longPrompt)!.Value, result.GetValue(longDecode)!.Value,
                result.GetValue(pause)!.Value, result.GetValue(repeat)!.Value, result.GetValue(seed));
            EngineOptions options = setup.Options(result, Math.Max(load.LongPromptTokens + load.LongDecodeTokens, load.PromptTokens + load.StreamTokens) + 1);
            if (options.MaxRunningSequences <= load.Streams)
            {
                throw new ArgumentException($"--max-batch is {options.MaxRunningSequences} but {load.Streams} streams and a long prompt run together; raise it to {load.Streams + 1} at least.");
            }

            await using LlmEngine engine = await EngineSetup.LoadAsync(model, options, cancel);
            load.Check(engine);
            InterferenceOutcome outcome = await load.RunAsync(engine, cancel);
            Report(load, engine, outcome);
            JsonObject row = BenchRows.Start("interference", model, engine, options);
            outcome.WriteTo(row, load);
            new BenchLog(result.GetValue(log)).Add(row);
            return 0;
        });
        return command;
    }

    private static void Report(InterferenceLoad load, LlmEngine engine, InterferenceOutcome outcome)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{load.Streams} streams of {load.PromptTokens} + ...; {load.Repeat} prompts of {load.LongPromptTokens:N0} tokens beside them; steps of {engine.LoadReport!.StepTokens:N0} tokens at most"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"long prompt, first token: p50 {outcome.LongFirstMs.P50:N0} max {outcome.LongFirstMs.Max:N0} ms (alone {outcome.LongAloneFirstMs:N0} ms)"));
        Console.WriteLine("| between tokens of the streams, ms | p50 | p90 | p99 | max | count |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach ((string name, Percentiles ms) in new[] { ("before", outcome.BeforeMs), ("while the prompt is computed", outcome.DuringMs), ("after", outcome.AfterMs) })
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {ms.P50:F2} | {ms.P90:F2} | {ms.P99:F2} | {ms.Max:F2} | {ms.Count:N0} |"));
        }
    }
}
