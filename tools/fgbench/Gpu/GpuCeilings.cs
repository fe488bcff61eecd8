using System.Globalization;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Model;

namespace Fastgen.Tools.FgBench.Gpu;

/// <summary>What the card gives, sustained: all matrix products of a model's layers, and reading memory. The floor of a load follows.</summary>
/// <param name="PromptTokens">Rows of the products of <paramref name="PromptSeconds"/>.</param>
/// <param name="PromptSeconds">All layers' products for that many rows.</param>
/// <param name="DecodeSeconds">By rows: all layers' products and the output head's.</param>
/// <param name="ReadBytesPerSecond">Reading only.</param>
internal sealed record GpuCeilings(int PromptTokens, double PromptSeconds, IReadOnlyDictionary<int, double> DecodeSeconds, double ReadBytesPerSecond)
{
    /// <summary>FLOP/s of the prompt products.</summary>
    public required double FlopsPerSecond { get; init; }

    /// <summary>Measures on a free card, before an engine takes its memory.</summary>
    public static GpuCeilings Measure(ModelConfig config, int promptTokens, IReadOnlyList<int> decodeRows)
    {
        using CudaDevice device = CudaDevice.Open(0);
        KernelCompiler compiler = new(device.Architecture, KernelCompiler.DefaultCacheFolder);
        using Matmul matmul = new(device, compiler, KernelCompiler.DefaultCacheFolder);
        using CudaModule elementwise = new(device, compiler.Compile("elementwise.cu"));
        using CudaModule ceilings = new(device, compiler.Compile("ceilings.cu"));
        (int Outputs, int Inputs, bool Bias)[] layer =
        [
            (config.QkvSize, config.HiddenSize, config.QkvBias), (config.HiddenSize, config.AttentionSize, false),
            (2 * config.IntermediateSize, config.HiddenSize, false), (config.HiddenSize, config.IntermediateSize, false),
        ];
        int widest = layer.Max(l => Math.Max(l.Outputs, l.Inputs));
        using DeviceBuffer input = new(device, (long)promptTokens * widest * 2, "ceilings");
        using DeviceBuffer output = new(device, Math.Max((long)promptTokens * widest * 2, (long)decodeRows.Max() * config.VocabularySize * 4), "ceilings");
        List<DeviceBuffer> weights = [.. layer.Append((config.VocabularySize, config.HiddenSize, false)).Select(l => new DeviceBuffer(device, (long)l.Item1 * l.Item2 * 2, "ceilings"))];
        CudaKernel fill = elementwise.Kernel("fill_random");
        void Randomise(DeviceBuffer buffer, int seed, float scale) => fill.Launch(device.Stream, device.Multiprocessors * 8, 1, 256, buffer.Address, buffer.Bytes / 2, seed, scale);
        Randomise(input, 1, 1f);
        for (int i = 0; i < weights.Count; i++)
        {
            Randomise(weights[i], i + 2, 0.02f);
        }

        void Layer(int rows)
        {
            for (int i = 0; i < layer.Length; i++)
            {
                matmul.Run(Shape(rows, layer[i]), input.Address, weights[i].Address, layer[i].Bias ? input.Address : 0, output.Address);
            }
        }

        foreach (int rows in decodeRows.Append(promptTokens))
        {
            for (int i = 0; i < layer.Length; i++)
            {
                matmul.Tune(Shape(rows, layer[i]), input.Address, [weights[i].Address], input.Address, output.Address);
            }
        }

        MatmulShape Head(int rows) => new(rows, config.VocabularySize, config.HiddenSize, CublasLt.Real16BF, CublasLt.Real32F, false);
        double prompt = GpuTimer.Sustained(device, () => Layer(promptTokens)) * config.LayerCount;
        Dictionary<int, double> decode = [];
        foreach (int rows in decodeRows)
        {
            matmul.Tune(Head(rows), input.Address, [weights[^1].Address], 0, output.Address);
            decode[rows] = (GpuTimer.Sustained(device, () => Layer(rows)) * config.LayerCount)
                + GpuTimer.Sustained(device, () => matmul.Run(Head(rows), input.Address, weights[^1].Address, 0, output.Address));
        }

        matmul.SaveTuning();
        weights.ForEach(w => w.Dispose());
        using DeviceBuffer large = new(device, 8L << 30, "ceilings");
        Randomise(large, 99, 1f);
        CudaKernel read = ceilings.Kernel("read_all");
        double seconds = GpuTimer.Sustained(device, () => read.Launch(device.Stream, device.Multiprocessors * 4, 1, 512, output.Address, large.Address, large.Bytes / 16));
        double flops = 2.0 * promptTokens * layer.Sum(l => (double)l.Outputs * l.Inputs) * config.LayerCount;
        return new GpuCeilings(promptTokens, prompt, decode, large.Bytes / seconds) { FlopsPerSecond = flops / prompt };
    }

    /// <summary>Least seconds for a load: prompts, their attention, decode products, and the KV cache read once a step.</summary>
    /// <remarks>Counts what is computed: past the attention of the last layer that is a prompt's last token alone.</remarks>
    public double Floor(ModelConfig config, int requests, int promptTokens, int decode)
    {
        double pastLastAttention = ((double)config.AttentionSize * config.HiddenSize) + (3.0 * config.IntermediateSize * config.HiddenSize);
        double prompts = (PromptSeconds / PromptTokens * requests * promptTokens) - (2 * pastLastAttention * requests * (promptTokens - 1) / FlopsPerSecond);
        double attention = 0, keys = 0;
        foreach (int? window in config.SlidingWindows)
        {
            double seen = window is { } w && w < promptTokens ? ((double)w * promptTokens) - ((double)w * w / 2) : (double)promptTokens * promptTokens / 2;
            attention += 4.0 * requests * config.AttentionSize * seen / FlopsPerSecond;
            for (int step = 1; step < decode; step++)
            {
                double context = Math.Min(promptTokens + step, window ?? int.MaxValue);
                keys += requests * context * config.KeyValueHeadCount * config.HeadDim * 2 * 2 / ReadBytesPerSecond;
            }
        }

        return prompts + attention + (DecodeSeconds[requests] * (decode - 1)) + keys;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"products of {PromptTokens} rows {PromptSeconds * 1e3:F1} ms ({FlopsPerSecond / 1e12:F0} TFLOP/s); {string.Join(", ", DecodeSeconds.Select(d => string.Create(CultureInfo.InvariantCulture, $"{d.Key} rows {d.Value * 1e3:F2} ms")))}; reading {ReadBytesPerSecond / 1e12:F2} TB/s");

    private static MatmulShape Shape(int rows, (int Outputs, int Inputs, bool Bias) l) => new(rows, l.Outputs, l.Inputs, CublasLt.Real16BF, CublasLt.Real16BF, l.Bias);
}
