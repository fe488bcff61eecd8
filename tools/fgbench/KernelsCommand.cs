using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;
using Fastgen.Tools.CommandLine;
using Fastgen.Tools.FgBench.Gpu;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench kernels: this machine's ceilings, and how near the matrix products of a model come.</summary>
internal static class KernelsCommand
{
    /// <summary>Weights are rotated over this much memory, so that no cache holds them.</summary>
    private const long RotationBytes = 384L << 20;

    private const string CpuRows = "1,2,4,8,16,64,512";
    private const string GpuRows = "1,8,32,128,256,512,8192";

    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Folder with a config.json; weights are random.", DefaultValueFactory = _ => "models/shapes/llama-3.2-1b" };
        var threads = new Option<int>("--threads") { Description = "Threads that compute.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var device = new Option<string>("--device", "--backend") { Description = "cpu, cuda or cuda:N.", DefaultValueFactory = _ => "cpu" };
        var rows = new Option<string?>("--rows") { Description = $"Rows to multiply (tokens of a step), separated by commas [default: {CpuRows}, on a GPU {GpuRows}]." };
        var seconds = new Option<double>("--seconds") { Description = "Time for each measurement on the CPU.", DefaultValueFactory = _ => 1.0 };
        var dtype = new Option<string>("--dtype") { Description = "On the CPU, what weights are kept as: auto (as stored), int8 or int4.", DefaultValueFactory = _ => "auto" };
        dtype.AcceptOnlyFromAmong("auto", "int8", "int4");
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("kernels", """
            On the CPU: copy and read bandwidth, the fp32 multiply-add peak, and a model's matrix products and attention against them.
            On a GPU: reading memory, and a model's matrix products, decode and prompt attention, elementwise kernels and sampling, each alone.

            Examples:
              fgbench kernels --model models/shapes/llama-3.2-1b --rows 1,8,128 --out docs/bench/cpu.jsonl
              fgbench kernels --device cuda --model models/shapes/mistral-7b --out docs/bench/gpu.jsonl
              fgbench kernels --device cuda --model models/shapes/llama-3.1-8b --rows 1,256
            """)
        { model, device, threads, rows, seconds, dtype, log };
        command.SetAction(result =>
        {
            string name = result.GetValue(device)!, shape = result.GetValue(model)!;
            BenchLog rowLog = new(result.GetValue(log));
            if (name == "cpu")
            {
                return Run(shape, result.GetValue(threads), Numbers.Parse(result.GetValue(rows) ?? CpuRows), result.GetValue(seconds), result.GetValue(dtype)!, rowLog);
            }

            string[] parts = name.Split(':');
            return parts[0] == "cuda" && parts.Length <= 2 && int.TryParse(parts.Length == 2 ? parts[1] : "0", NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                ? GpuKernelsBench.Run(ModelLoading.DisplayName(shape), ModelConfig.Load(Path.Combine(ModelFolder.Find(shape), "config.json")), index, Numbers.Parse(result.GetValue(rows) ?? GpuRows), rowLog)
                : throw new ArgumentException($"--device is '{name}'; it must be cpu, cuda or cuda:N.");
        });
        return command;
    }

    private static int Run(string model, int threads, IReadOnlyList<int> rowCounts, double seconds, string dtype, BenchLog log)
    {
        var config = ModelConfig.Load(Path.Combine(ModelFolder.Find(model), "config.json"));
        using var pool = new WorkerPool(threads);
        var copy = MachineCeilings.CopyBytesPerSecond(pool, seconds);
        var read = MachineCeilings.ReadBytesPerSecond(pool, seconds);
        var flops = MachineCeilings.FlopsPerSecond(pool, seconds);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} thread(s): copy {copy / 1e9:F1} GB/s (read + written), read {read / 1e9:F1} GB/s, fp32 multiply-add peak {flops / 1e9:F0} GFLOP/s"));
        log.Add(new JsonObject { ["bench"] = "ceilings", ["threads"] = threads, ["copyGBs"] = copy / 1e9, ["readGBs"] = read / 1e9, ["peakGflops"] = flops / 1e9 });

        MeasureStart(pool, seconds / 10, log);

        using var backend = new CpuBackend(threads, WeightPlacement.Copied);
        using var source = new DummyWeights(config.StoredType);
        (string Name, int Outputs, int Inputs)[] shapes =
        [
            ("qkv", config.QkvSize, config.HiddenSize),
            ("attention_output", config.HiddenSize, config.AttentionSize),
            ("gate_up", 2 * config.IntermediateSize, config.HiddenSize),
            ("down", config.HiddenSize, config.IntermediateSize),
            ("lm_head", config.VocabularySize, config.HiddenSize),
        ];
        foreach (var (name, outputs, inputs) in shapes)
        {
            var expected = new ExpectedTensor(name, outputs, inputs);
            var bytes = (long)outputs * inputs * config.StoredType.SizeBytes();
            var weights = new LinearWeight[Math.Max(1, RotationBytes / (dtype == "int4" ? bytes / 4 : dtype == "int8" ? bytes / 2 : bytes))];
            var reader = new WeightReader(source, bytes, scanForNonFinite: false, mayReference: false, progress: null) { Online = _ => CodeOf(dtype) };
            for (var i = 0; i < weights.Length; i++)
            {
                weights[i] = backend.LoadLinear(name, [new LinearPart(expected, null)], reader);
            }

            foreach (var rows in rowCounts)
            {
                Measure(backend, name, weights, rows, seconds, copy, flops, log);
            }

            foreach (var weight in weights)
            {
                weight.Dispose();
            }
        }

        foreach (var (sequences, context) in ((int, int)[])[(1, 128), (16, 128), (1, 2048), (16, 2048)])
        {
            MeasureAttention(backend, config, sequences, context, seconds, log);
        }

        return 0;
    }

    private static QuantizedCode? CodeOf(string dtype) => dtype switch
    {
        "int8" => QuantizedCode.Int8,
        "int4" => QuantizedCode.Int4,
        _ => null,
    };

    /// <summary>What each job of a step costs besides its work: the time until all threads have begun and the caller knows that they have ended.</summary>
    private static void MeasureStart(WorkerPool pool, double seconds, BenchLog log)
    {
        const int Runs = 40;
        var job = new MeetingJob(pool.ThreadCount);
        var (best, median) = BestOf.Seconds(seconds, () =>
        {
            for (var i = 0; i < Runs; i++)
            {
                job.Reset();
                pool.Run(job, pool.ThreadCount);
            }
        });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"starting all threads on a job: {best / Runs * 1e9:F0} ns (median {median / Runs * 1e9:F0})"));
        log.Add(new JsonObject { ["bench"] = "start", ["threads"] = pool.ThreadCount, ["bestNs"] = best / Runs * 1e9, ["medianNs"] = median / Runs * 1e9 });
    }

    private static void MeasureAttention(CpuBackend backend, ModelConfig config, int sequences, int context, double seconds, BenchLog log)
    {
        const int BlockSize = 16;
        var blocks = context / BlockSize;
        var layout = new KvCacheLayout
        {
            LayerCount = 1,
            Attention = new AttentionLayout(config.HeadCount, config.KeyValueHeadCount, config.HeadDim),
            BlockSize = BlockSize,
            BlockCount = blocks * sequences,
        };
        backend.AllocateKvCache(layout, [RotaryFrequencies.OfLayers(config)[0]]);
        using var qkv = (CpuTensor)backend.Allocate(sequences, config.QkvSize);
        using var output = backend.Allocate(sequences, config.AttentionSize);
        FillRandom(qkv);
        var batch = new Fastgen.Engine.Batching.Batch(sequences, sequences, blocks);
        for (var position = 0; position < context; position++)
        {
            batch.Clear();
            for (var sequence = 0; sequence < sequences; sequence++)
            {
                batch.QueryStarts[sequence] = sequence;
                batch.Positions[sequence] = position;
                batch.SlotMapping[sequence] = (sequence * context) + position;
                batch.ContextLengths[sequence] = batch.SequenceLengths[sequence] = position + 1;
                for (var block = 0; block < blocks; block++)
                {
                    batch.BlockTables[(sequence * blocks) + block] = (sequence * blocks) + block;
                }
            }

            batch.TokenCount = batch.SequenceCount = batch.QueryStarts[sequences] = sequences;
            backend.RunStep(batch, current => backend.RopeAndStoreKv(current, 0, qkv, null));
            backend.Collect();
        }

        var (best, median) = BestOf.Seconds(seconds, () => backend.PagedAttention(batch, 0, qkv, new AttentionSettings { Scale = 0.1f }, output));
        var bytes = (double)backend.KvBlockBytes(layout) * blocks * sequences;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"attention, {sequences} sequence(s) at {context} tokens: {best * 1e6:F0} us (median {median * 1e6:F0}), keys and values {bytes / best / 1e9:F1} GB/s"));
        log.Add(new JsonObject { ["bench"] = "attention", ["sequences"] = sequences, ["context"] = context, ["bestUs"] = best * 1e6, ["medianUs"] = median * 1e6, ["kvGBs"] = bytes / best / 1e9 });
    }

    private static void Measure(CpuBackend backend, string name, LinearWeight[] weights, int rows, double seconds, double copy, double flops, BenchLog log)
    {
        using var input = (CpuTensor)backend.Allocate(rows, weights[0].Inputs);
        using var output = backend.Allocate(rows, weights[0].Outputs);
        FillRandom(input);
        var batch = new Fastgen.Engine.Batching.Batch(rows, rows, 1) { TokenCount = rows };
        var next = 0;
        var (best, median) = BestOf.Seconds(seconds, () => backend.Linear(batch, input, weights[next++ % weights.Length], output));
        var bytesPerSecond = weights[0].ByteCount / best;
        var reached = 2.0 * rows * weights[0].Outputs * weights[0].Inputs / best;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-16} [{weights[0].Outputs} x {weights[0].Inputs}] rows {rows,4}: {best * 1e6,9:F0} us (median {median * 1e6,9:F0})  {bytesPerSecond / 1e9,6:F1} GB/s = {bytesPerSecond / copy,4:P0} of copy  {reached / 1e9,6:F1} GFLOP/s = {reached / flops,4:P0} of peak"));
        log.Add(new JsonObject
        {
            ["bench"] = "linear",
            ["name"] = name,
            ["outputs"] = weights[0].Outputs,
            ["inputs"] = weights[0].Inputs,
            ["rows"] = rows,
            ["weightBytes"] = weights[0].ByteCount,
            ["bestUs"] = best * 1e6,
            ["medianUs"] = median * 1e6,
            ["weightGBs"] = bytesPerSecond / 1e9,
            ["ofCopy"] = bytesPerSecond / copy,
            ["gflops"] = reached / 1e9,
        });
    }

    private static unsafe void FillRandom(CpuTensor tensor)
    {
        var random = new Random(1);
        for (var row = 0; row < tensor.Rows; row++)
        {
            for (var column = 0; column < tensor.Columns; column++)
            {
                tensor.Row(row)[column] = random.NextSingle() - 0.5f;
            }
        }
    }

    /// <summary>Each item waits until all have begun, so each thread takes one.</summary>
    private sealed class MeetingJob(int items) : KernelJob
    {
        private int _missing;

        public void Reset() => _missing = items;

        public override void Execute(int item, int worker)
        {
            Interlocked.Decrement(ref _missing);
            while (Volatile.Read(ref _missing) > 0)
            {
                Thread.SpinWait(1);
            }
        }
    }
}
