using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Sampling;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench decode: whole steps of a model with random weights, without a scheduler.</summary>
internal static class DecodeCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Folder with a config.json; weights are random.", DefaultValueFactory = _ => "models/shapes/llama-3.2-1b" };
        var backend = new Option<string>("--backend") { Description = "Device: cpu.", DefaultValueFactory = _ => "cpu" };
        var batches = new Option<string>("--batch") { Description = "Sequences that decode together, separated by commas.", DefaultValueFactory = _ => "1,2,4,8,16" };
        var prompt = new Option<int>("--prompt") { Description = "Prompt tokens of each sequence.", DefaultValueFactory = _ => 128 };
        var tokens = new Option<int>("--tokens") { Description = "Decode steps to time.", DefaultValueFactory = _ => 32 };
        var threads = new Option<int>("--threads") { Description = "Threads that compute.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var kv = new Option<KvCacheType>("--kv") { Description = "Type of the KV cache.", DefaultValueFactory = _ => KvCacheType.Auto };
        var dtype = new Option<string>("--dtype") { Description = "What weights are kept as: auto (as stored), bf16, fp16, fp32 (the same, and checked), int8 or int4.", DefaultValueFactory = _ => "auto" };
        dtype.AcceptOnlyFromAmong("auto", "bf16", "fp16", "fp32", "int8", "int4");
        var dummy = new Option<bool>("--dummy-weights") { Description = "Random weights of the model's shape; false reads the folder's.", DefaultValueFactory = _ => true };
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("decode", """
            Measures prompt and decode speed of a model shape, and the weights read per second against this machine's copy bandwidth.

            Example:
              fgbench decode --model models/shapes/llama-3.2-1b --backend cpu --batch 1,8 --out docs/bench/cpu.jsonl
              fgbench decode --model models/shapes/llama-3.2-1b --dtype int4 --batch 1
            """)
        { model, backend, batches, prompt, tokens, threads, kv, dtype, dummy, log };
        command.SetAction(result => Run(
            new ModelRunnerOptions
            {
                Model = result.GetValue(model)!,
                Device = result.GetValue(backend)!,
                Threads = result.GetValue(threads),
                KvCacheType = result.GetValue(kv),
                DummyWeights = result.GetValue(dummy),
                WeightType = WeightTypeOf(result.GetValue(dtype)!),
            },
            result.GetValue(dtype)!,
            Numbers.Parse(result.GetValue(batches)!),
            result.GetValue(prompt),
            result.GetValue(tokens),
            new BenchLog(result.GetValue(log))));
        return command;
    }

    private static int Run(ModelRunnerOptions options, string dtype, IReadOnlyList<int> batchSizes, int promptTokens, int steps, BenchLog log)
    {
        var threads = options.Threads!.Value;
        var copyBefore = CopyBytesPerSecond(threads);
        var blocksPerSequence = (promptTokens + steps + options.BlockSize) / options.BlockSize;
        options = options with { MaxBatchTokens = Math.Max(promptTokens, batchSizes.Max()), BlockCount = blocksPerSequence * batchSizes.Max() };
        using var runner = ModelRunner.Load(options);
        if (dtype is "bf16" or "fp16" or "fp32" && !runner.Config.StoredType.ToString().Equals(dtype, StringComparison.OrdinalIgnoreCase))
        {
            Console.Error.WriteLine($"fgbench: --dtype is {dtype}, but '{options.Model}' stores {runner.Config.StoredType}; use auto, int8 or int4.");
            return 1;
        }

        var peak = FlopsPerSecond(threads);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{options.Model} on {runner.DeviceName}; {runner.WeightBytesPerStep / 1e6:F1} MB of weights a step"));
        var random = new Random(1);
        WarmUp(runner, new Batch(options.MaxBatchTokens, 1, blocksPerSequence), promptTokens, blocksPerSequence, random);
        foreach (var size in batchSizes)
        {
            var batch = new Batch(options.MaxBatchTokens, size, blocksPerSequence);
            var promptSeconds = double.MaxValue;
            for (var sequence = 0; sequence < size; sequence++)
            {
                Prompt(batch, runner, sequence, promptTokens, blocksPerSequence, random);
                promptSeconds = Math.Min(promptSeconds, Time(runner, batch));
            }

            var times = new double[steps];
            for (var step = 0; step < steps; step++)
            {
                Decode(batch, runner, size, promptTokens + step, blocksPerSequence, random);
                times[step] = Time(runner, batch);
            }

            Array.Sort(times);

            // What neighbours leave of the memory's bandwidth changes within seconds: the higher of two measurements is the ceiling.
            var copyAfter = CopyBytesPerSecond(threads);
            var copy = Math.Max(copyBefore, copyAfter);
            var (best, median) = (times[0], times[steps / 2]);
            var weights = runner.WeightBytesPerStep / median;
            var promptFlops = ProductFlops(runner.Config, promptTokens) / promptSeconds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"batch {size,3}: decode {size / median,7:F1} tok/s (best {size / best:F1}), step {median * 1e3:F2} ms, weights {weights / 1e9:F1} GB/s = {weights / copy:P0} of copy (best {runner.WeightBytesPerStep / best / copy:P0}; copy {copyBefore / 1e9:F1} GB/s before, {copyAfter / 1e9:F1} after); prompt of {promptTokens}: {promptTokens / promptSeconds:F0} tok/s = {promptFlops / 1e9:F0} GFLOP/s = {promptFlops / peak:P0} of multiply-add peak {peak / 1e9:F0}"));
            log.Add(new JsonObject
            {
                ["bench"] = "decode",
                ["model"] = Path.GetFileName(options.Model.TrimEnd('/')),
                ["device"] = runner.DeviceName,
                ["threads"] = threads,
                ["batch"] = size,
                ["context"] = promptTokens,
                ["tokensPerSecond"] = size / median,
                ["bestTokensPerSecond"] = size / best,
                ["weightGBs"] = weights / 1e9,
                ["copyGBs"] = copy / 1e9,
                ["copyBeforeGBs"] = copyBefore / 1e9,
                ["copyAfterGBs"] = copyAfter / 1e9,
                ["ofCopy"] = weights / copy,
                ["bestOfCopy"] = runner.WeightBytesPerStep / best / copy,
                ["promptTokensPerSecond"] = promptTokens / promptSeconds,
                ["dtype"] = dtype == "auto" ? runner.Config.StoredType.ToString().ToLowerInvariant() : dtype,
                ["weightBytes"] = runner.WeightBytesPerStep,
                ["promptGflops"] = promptFlops / 1e9,
                ["peakGflops"] = peak / 1e9,
            });
            copyBefore = copyAfter;
        }

        return 0;
    }

    /// <summary>Runs steps until the runtime has replaced its first, slow code: a small model's first thousand steps would else be timed in it.</summary>
    private static void WarmUp(ModelRunner runner, Batch batch, int promptTokens, int blocksPerSequence, Random random)
    {
        var start = Stopwatch.GetTimestamp();
        Prompt(batch, runner, 0, promptTokens, blocksPerSequence, random);
        Time(runner, batch);
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < 1.5)
        {
            Decode(batch, runner, 1, promptTokens, blocksPerSequence, random);
            Time(runner, batch);
        }
    }

    private static WeightType WeightTypeOf(string dtype) => dtype switch
    {
        "int8" => WeightType.Int8,
        "int4" => WeightType.Int4,
        _ => WeightType.Stored,
    };

    /// <summary>Operations of the matrix products of a prompt; the output head sees its last token alone.</summary>
    private static double ProductFlops(ModelConfig config, int tokens)
    {
        var layer = (double)config.HiddenSize * (config.QkvSize + config.AttentionSize + (3.0 * config.IntermediateSize));
        return 2 * ((layer * config.LayerCount * tokens) + ((double)config.VocabularySize * config.HiddenSize));
    }

    private static double FlopsPerSecond(int threads)
    {
        using var pool = new WorkerPool(threads);
        return MachineCeilings.FlopsPerSecond(pool, 0.5);
    }

    private static double CopyBytesPerSecond(int threads)
    {
        using var pool = new WorkerPool(threads);
        return MachineCeilings.CopyBytesPerSecond(pool, 0.7);
    }

    private static double Time(ModelRunner runner, Batch batch)
    {
        var start = Stopwatch.GetTimestamp();
        runner.Submit(batch);
        runner.Collect();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static void Prompt(Batch batch, ModelRunner runner, int sequence, int tokens, int blocksPerSequence, Random random)
    {
        batch.Clear();
        AddSequence(batch, runner, sequence, 0, tokens, blocksPerSequence, random);
    }

    private static void Decode(Batch batch, ModelRunner runner, int size, int position, int blocksPerSequence, Random random)
    {
        batch.Clear();
        for (var sequence = 0; sequence < size; sequence++)
        {
            AddSequence(batch, runner, sequence, position, 1, blocksPerSequence, random);
        }
    }

    private static void AddSequence(Batch batch, ModelRunner runner, int sequence, int position, int tokens, int blocksPerSequence, Random random)
    {
        var row = batch.SequenceCount++;
        batch.QueryStarts[row] = batch.TokenCount;
        for (var i = 0; i < tokens; i++)
        {
            var token = batch.TokenCount++;
            batch.TokenIds[token] = random.Next(runner.VocabularySize);
            batch.Positions[token] = position + i;
            batch.SlotMapping[token] = (sequence * blocksPerSequence * runner.BlockSize) + position + i;
        }

        for (var block = 0; block < blocksPerSequence; block++)
        {
            batch.BlockTables[(row * batch.MaxBlocksPerSequence) + block] = (sequence * blocksPerSequence) + block;
        }

        batch.ContextLengths[row] = position + tokens;
        batch.QueryStarts[row + 1] = batch.TokenCount;
        batch.SampleRows.Add(new SampleRow { TokenIndex = batch.TokenCount - 1, Parameters = new SamplingParameters { Temperature = 0 } });
    }
}
