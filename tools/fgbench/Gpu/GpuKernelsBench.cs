using System.Globalization;
using System.Text.Json.Nodes;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Model;

namespace Fastgen.Tools.FgBench.Gpu;

/// <summary>The kernels of a model's step on a GPU, each alone, against reading memory and against each other.</summary>
internal static class GpuKernelsBench
{
    private const long ReadBytes = 4L << 30;

    // What a product reads is rotated over so much memory that no cache holds it.
    private const long RotationBytes = 512L << 20;

    /// <param name="rows">Rows of the matrix products.</param>
    public static int Run(string modelName, ModelConfig config, int deviceIndex, IReadOnlyList<int> rows, BenchLog log)
    {
        double readBytesPerSecond;
        string name;
        using (CudaDevice device = CudaDevice.Open(deviceIndex))
        {
            name = device.Name;
            var compiler = new KernelCompiler(device.Architecture, KernelCompiler.DefaultCacheFolder, file => Console.Error.WriteLine($"Compiling {file}"));
            readBytesPerSecond = MeasureRead(device, compiler);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{modelName} on {name}: reading memory {readBytesPerSecond / 1e12:F2} TB/s; each figure is the median of 15 groups of 10 calls"));
            log.Add(new JsonObject { ["bench"] = "gpuKernel", ["model"] = modelName, ["device"] = name, ["kernel"] = "read", ["terabytesPerSecond"] = readBytesPerSecond / 1e12 });
            MeasureProducts(device, compiler, config, rows, Report);
        }

        GpuStepKernels.Measure(config, deviceIndex, Report);
        return 0;

        void Report(GpuKernelFigure figure)
        {
            string speed = figure.Flops is { } flops ? string.Create(CultureInfo.InvariantCulture, $"{flops / figure.Seconds / 1e12,7:F1} TFLOP/s") : "";
            string bandwidth = figure.Bytes is { } bytes
                ? string.Create(CultureInfo.InvariantCulture, $"{bytes / figure.Seconds / 1e12,6:F2} TB/s = {bytes / figure.Seconds / readBytesPerSecond,4:P0} of reading")
                : "";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{figure.Kernel,-18} {figure.Shape,-30} {figure.Seconds * 1e6,9:F1} us  {speed}  {bandwidth}").TrimEnd());
            log.Add(new JsonObject
            {
                ["bench"] = "gpuKernel",
                ["model"] = modelName,
                ["device"] = name,
                ["kernel"] = figure.Kernel,
                ["shape"] = figure.Shape,
                ["us"] = figure.Seconds * 1e6,
                ["teraflopsPerSecond"] = figure.Flops / figure.Seconds / 1e12,
                ["terabytesPerSecond"] = figure.Bytes / figure.Seconds / 1e12,
                ["ofRead"] = figure.Bytes / figure.Seconds / readBytesPerSecond,
            });
        }
    }

    private static double MeasureRead(CudaDevice device, KernelCompiler compiler)
    {
        using CudaModule ceilings = new(device, compiler.Compile("ceilings.cu"));
        using CudaModule elementwise = new(device, compiler.Compile("elementwise.cu"));
        using DeviceBuffer data = new(device, ReadBytes, "measuring memory");
        using DeviceBuffer sum = new(device, 16, "measuring memory");
        Randomise(device, elementwise, data, 1, 1f);
        CudaKernel read = ceilings.Kernel("read_all");
        return ReadBytes / GpuTimer.Median(device, () => read.Launch(device.Stream, device.Multiprocessors * 4, 1, 512, sum.Address, data.Address, data.Bytes / 16));
    }

    private static void MeasureProducts(CudaDevice device, KernelCompiler compiler, ModelConfig config, IReadOnlyList<int> rows, Action<GpuKernelFigure> report)
    {
        using Matmul matmul = new(device, compiler, KernelCompiler.DefaultCacheFolder);
        using CudaModule elementwise = new(device, compiler.Compile("elementwise.cu"));
        (string Name, int Outputs, int Inputs, bool Bias, int Output)[] products =
        [
            ("qkv", config.QkvSize, config.HiddenSize, config.QkvBias, CublasLt.Real16BF),
            ("attention_output", config.HiddenSize, config.AttentionSize, false, CublasLt.Real16BF),
            ("gate_up", 2 * config.IntermediateSize, config.HiddenSize, false, CublasLt.Real16BF),
            ("down", config.HiddenSize, config.IntermediateSize, false, CublasLt.Real16BF),
            ("lm_head", config.VocabularySize, config.HiddenSize, false, CublasLt.Real32F),
        ];
        foreach (var product in products)
        {
            long weightBytes = 2L * product.Outputs * product.Inputs;
            List<DeviceBuffer> weights = [];
            try
            {
                do
                {
                    weights.Add(new DeviceBuffer(device, weightBytes, "weights to multiply with"));
                    Randomise(device, elementwise, weights[^1], weights.Count, 0.02f);
                }
                while (weights.Count * weightBytes < RotationBytes);

                // Logits of thousands of rows are never made, and would not fit.
                foreach (int count in rows.Where(count => product.Name != "lm_head" || count <= 512))
                {
                    using DeviceBuffer input = new(device, 2L * count * product.Inputs, "rows to multiply");
                    using DeviceBuffer output = new(device, 4L * count * product.Outputs, "products");
                    using DeviceBuffer bias = new(device, 2L * product.Outputs, "a bias");
                    Randomise(device, elementwise, input, 99, 1f);
                    Randomise(device, elementwise, bias, 98, 1f);
                    nint added = product.Bias ? bias.Address : 0;
                    MatmulShape shape = new(count, product.Outputs, product.Inputs, CublasLt.Real16BF, product.Output, product.Bias);
                    matmul.Tune(shape, input.Address, [.. weights.Select(weight => weight.Address)], added, output.Address);
                    int next = 0;
                    double seconds = GpuTimer.Median(device, () => matmul.Run(shape, input.Address, weights[next++ % weights.Count].Address, added, output.Address));
                    double bytes = weightBytes + (2.0 * count * product.Inputs) + ((product.Output == CublasLt.Real32F ? 4.0 : 2.0) * count * product.Outputs);
                    report(new GpuKernelFigure(product.Name, $"{count} x {product.Inputs} x {product.Outputs}", seconds) { Flops = 2.0 * count * product.Outputs * product.Inputs, Bytes = bytes });
                }
            }
            finally
            {
                weights.ForEach(weight => weight.Dispose());
            }
        }

        matmul.SaveTuning();
    }

    private static void Randomise(CudaDevice device, CudaModule elementwise, DeviceBuffer buffer, int seed, float scale) =>
        elementwise.Kernel("fill_random").Launch(device.Stream, device.Multiprocessors * 8, 1, 256, buffer.Address, buffer.Bytes / 2, seed, scale);
}
