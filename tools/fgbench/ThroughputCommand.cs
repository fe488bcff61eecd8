using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Tools.CommandLine;
using Fastgen.Tools.FgBench.Gpu;
using Fastgen.Tools.FgBench.Loads;
using Fastgen.Tools.FgBench.Plotting;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench throughput: many requests through the engine in this process.</summary>
internal static class ThroughputCommand
{
    /// <summary>The decode lengths of published curves: 16 to 2048 in ten steps of equal ratio.</summary>
    private const string SweepLengths = "16,27,47,81,138,237,406,697,1195,2048";

    public static Command Create()
    {
        var requests = new Option<string>("--requests") { Description = "Requests; several counts, separated by commas, run one after the other.", DefaultValueFactory = _ => "512" };
        var prompt = new Option<int>("--prompt") { Description = "Prompt tokens of each, random and distinct.", DefaultValueFactory = _ => 1024 };
        var decode = new Option<string?>("--decode") { Description = "Tokens to generate for each; several, separated by commas, run one after the other [default: 128]." };
        var sweep = new Option<bool>("--sweep") { Description = $"The curve over decode lengths: --decode {SweepLengths} and a plot." };
        var plot = new Option<string?>("--plot") { Description = "SVG file to draw generated tokens per second over decode lengths to, again after every point [default with --sweep: sweep-MODEL.svg]." };
        var compare = new Option<string[]>("--compare") { Description = "JSON file of curves to draw beside ours, repeatable." };
        var rate = NumberOption.Real("--rate", "Requests per second, at the times of a Poisson process [default: all at once].", 0.001, 1e6);
        var seed = new Option<int>("--seed") { Description = "Of prompts and arrivals.", DefaultValueFactory = _ => 1 };
        var temperature = new Option<float>("--temperature") { Description = "0 is greedy.", DefaultValueFactory = _ => 0f };
        var topP = new Option<float>("--top-p") { Description = "Nucleus sampling; 1 turns it off.", DefaultValueFactory = _ => 1f };
        var ceilings = new Option<bool>("--ceilings") { Description = "Also measures what the GPU gives, sustained, in the same run, and the ratio to the floor that follows." };
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("throughput", """
            Measures generated tokens per second, time to first token and between tokens. Prefix cache off, end-of-sequence ignored.

            Examples:
              fgbench throughput --model models/shapes/mistral-7b --dummy-weights --decode 128 --ceilings --out docs/bench/gpu.jsonl
              fgbench throughput --model models/shapes/mistral-7b --dummy-weights --requests 1,8,32,128
              fgbench throughput --model models/shapes/mistral-7b --dummy-weights --sweep --ceilings --compare docs/bench/published-mistral-7b.json --out docs/bench/gpu.jsonl
              fgbench throughput --model models/shapes/mistral-7b --dummy-weights --rate 20 --requests 400
              fgbench throughput --model models/demo --device cpu --requests 64 --prompt 64 --decode 64 --max-batch 64
            """)
        { requests, prompt, decode, sweep, plot, compare, rate, seed, temperature, topP, ceilings, log };
        var setup = new EngineSetup(command, "models/shapes/mistral-7b", 512);
        command.SetAction(async (result, cancel) =>
        {
            string model = setup.Model(result);
            bool isSweep = result.GetValue(sweep);
            IReadOnlyList<int> lengths = Numbers.Parse(result.GetValue(decode) ?? (isSweep ? SweepLengths : "128"));
            var load = new EngineLoad(0, result.GetValue(prompt), 0, result.GetValue(temperature), result.GetValue(topP), result.GetValue(rate), result.GetValue(seed));
            EngineOptions options = setup.Options(result, load.PromptTokens + lengths.Max() + 1);
            string? plotFile = result.GetValue(plot) ?? (isSweep ? $"sweep-{ModelLoading.DisplayName(model)}.svg" : null);
            var run = new Run(model, options, load, Numbers.Parse(result.GetValue(requests)!), lengths, new BenchLog(result.GetValue(log)))
            {
                PlotFile = plotFile,
                Published = [.. (result.GetValue(compare) ?? []).SelectMany(CurveFile.Read)],
            };
            return await run.ExecuteAsync(result.GetValue(ceilings), cancel);
        });
        return command;
    }

    private sealed record Run(string Model, EngineOptions Options, EngineLoad Load, IReadOnlyList<int> Counts, IReadOnlyList<int> Lengths, BenchLog Log)
    {
        public string? PlotFile { get; init; }

        public IReadOnlyList<Curve> Published { get; init; } = [];

        public async Task<int> ExecuteAsync(bool measureCeilings, CancellationToken cancel)
        {
            ModelConfig config = ModelConfig.Load(Path.Combine(ModelFolder.Find(Model), "config.json"));
            GpuCeilings? ceilings = measureCeilings ? MeasureCeilings(config) : null;
            await using LlmEngine engine = await EngineSetup.LoadAsync(Model, Options, cancel);
            var curves = new List<Curve>();
            foreach (int count in Counts)
            {
                // Graphs, tuned products and the runtime's own compiler settle first.
                await (Load with { Requests = count, PromptTokens = Math.Min(Load.PromptTokens, 64), DecodeTokens = Math.Min(12, Lengths.Max()), RatePerSecond = null }).RunAsync(engine, null, cancel);
                var points = new List<(double, double)>();
                foreach (int decode in Lengths)
                {
                    LoadOutcome outcome = await (Load with { Requests = count, DecodeTokens = decode }).RunAsync(engine, $"{count} x {Load.PromptTokens} + {decode}", cancel);
                    // Arrivals spread over time have no floor but their own length.
                    double? floor = Load.RatePerSecond is null ? ceilings?.Floor(config, count, Load.PromptTokens, decode) : null;
                    Report(engine, outcome, floor);
                    points.Add((decode, outcome.GeneratedTokensPerSecond));
                    Draw([.. curves, new Curve($"this engine, {engine.DeviceName}{(Counts.Count > 1 ? $", {count} requests" : "")}", points)]);
                }

                curves.Add(new Curve($"this engine, {engine.DeviceName}{(Counts.Count > 1 ? $", {count} requests" : "")}", points));
            }

            if (Lengths.Count > 1)
            {
                Console.WriteLine(CurveTable.Format([.. curves, .. Published], "decode tokens", "generated tok/s"));
            }

            if (PlotFile is not null)
            {
                Console.WriteLine($"Plot: {PlotFile}");
            }

            return 0;
        }

        private GpuCeilings MeasureCeilings(ModelConfig config)
        {
            Console.Error.WriteLine("Measuring what the GPU gives, some seconds for each product");
            GpuCeilings ceilings = GpuCeilings.Measure(config, 8192, Counts);
            Console.WriteLine($"ceilings: {ceilings}");
            return ceilings;
        }

        private void Draw(IReadOnlyList<Curve> ours)
        {
            if (PlotFile is not null)
            {
                SvgChart.Save(PlotFile, new ChartText($"{ModelLoading.DisplayName(Model)}, {string.Join(" / ", Counts)} requests, prompts of {Load.PromptTokens:N0} tokens", "tokens generated per request", "generated tokens per second"), [.. ours, .. Published]);
            }
        }

        private void Report(LlmEngine engine, LoadOutcome outcome, double? floor)
        {
            string ratio = floor is { } f ? string.Create(CultureInfo.InvariantCulture, $", {f / outcome.Seconds:F3} of the floor of {f:F2} s") : "";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{outcome.Load.Requests} x {Load.PromptTokens} + {outcome.Load.DecodeTokens}: {outcome.GeneratedTokensPerSecond:N0} generated tok/s, {outcome.TotalTokensPerSecond:N0} total tok/s, {outcome.Seconds:F2} s{ratio}; "
                + $"decode {outcome.DecodeTokensPerSecond:N0} tok/s; {outcome.Work.Steps} steps, {outcome.Work.Preemptions} preemptions; {outcome.Latencies}"));
            JsonObject row = BenchRows.Start("throughput", Model, engine, Options);
            outcome.WriteTo(row);
            row["floorSeconds"] = floor;
            row["ofFloor"] = floor / outcome.Seconds;
            Log.Add(row);
        }
    }
}
