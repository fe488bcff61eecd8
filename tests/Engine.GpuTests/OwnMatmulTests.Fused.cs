using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.GpuTests;

/// <content>What stands around a product, done in passing. Sums are some units in size; bfloat16 rounds results by 2⁻⁹ at most.</content>
public sealed unsafe partial class OwnMatmulTests
{
    private const int Inputs = 200;
    private const double Absolute = 5e-3;
    private const double Relative = 1.0 / 250;

    public static TheoryData<string, int, int> FusedCases
    {
        get
        {
            TheoryData<string, int, int> cases = [];
            for (int rows = 1; rows <= VectorMatmul.MaxRows; rows++)
            {
                cases.Add("vector", rows, (int)InputNorm.None);
                cases.Add("vector", rows, (int)InputNorm.Weighted);
                cases.Add("vector", rows, (int)InputNorm.Folded);
            }

            foreach (int rows in (int[])[1, 7, 8, 9, 16, 17, 31, 32])
            {
                cases.Add("stationary9", rows, (int)(rows % 4 == 1 ? InputNorm.None : InputNorm.Weighted));
                cases.Add("stationary9", rows, (int)InputNorm.Folded);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(FusedCases))]
    [InlineData("gated9", 128, 0)]
    [InlineData("gated9", 300, 0)]
    [InlineData("gated9", 601, 0)]
    public void Gate_and_up_agree_with_float64(string name, int rows, int norm)
    {
        // Parts of a tile of 64 or 96 gates, and several tiles.
        foreach (int inner in (int[])[8, 72, 1032])
        {
            GateAndUpAgree(name, rows, inner, norm);
        }
    }

    /// <summary>The warpgroups of one CTA take turns over several tiles, and the last turn has tiles for some clusters only.</summary>
    [Theory]
    [InlineData("gated9", 300, 9608)]
    public void Gate_and_up_of_more_tiles_than_run_at_once_agree_with_float64(string name, int rows, int inner) => GateAndUpAgree(name, rows, inner, norm: 0);

    private static void GateAndUpAgree(string name, int rows, int inner, int norm)
    {
        using Case c = new(name, rows, 2 * inner, norm, bias: rows % 2 == 1 && name != "gated9", headDim: 128);
        ushort[] actual = c.Run(ProductEpilogue.SiluMul, Unwritten(rows * inner), default);
        for (int i = 0; i < actual.Length; i++)
        {
            int row = i / inner, column = i % inner;
            double gate = c.Sums[(row * 2 * inner) + column], up = c.Sums[(row * 2 * inner) + inner + column];
            AssertNear(gate / (1 + Math.Exp(-gate)) * up, Value(actual[i]), 4 * Absolute, Relative, $"inner {inner}: [{row}, {column}]");
        }
    }

    [Theory]
    [MemberData(nameof(FusedCases))]
    public void Sums_added_to_what_is_there_agree_with_float64(string name, int rows, int norm)
    {
        foreach (int outputs in (int[])[8, 200, 1000])
        {
            using Case c = new(name, rows, outputs, norm, bias: rows % 2 == 1, headDim: 128);
            ushort[] before = Values(new Random(outputs), rows * outputs), actual = c.Run(ProductEpilogue.Add, before, default);
            for (int i = 0; i < actual.Length; i++)
            {
                AssertNear(Value(before[i]) + c.Sums[i], Value(actual[i]), Absolute, Relative, $"outputs {outputs}: [{i / outputs}, {i % outputs}]");
            }
        }
    }

    [Theory]
    [MemberData(nameof(FusedCases))]
    public void Rotation_and_cache_agree_with_float64(string name, int rows, int norm)
    {
        foreach (int headDim in (int[])[64, 128])
        {
            RotateAndCompare(name, rows, norm, headDim, heads: 3, keyValueHeads: 2);
            RotateAndCompare(name, rows, norm, headDim, heads: 4, keyValueHeads: 1);
        }
    }

    [Fact]
    public void What_a_kernel_cannot_do_in_passing_is_refused()
    {
        Gpu.Require();
        using CudaDevice device = CudaDevice.Open(0);
        using StationaryMatmul few = (StationaryMatmul)Create("stationary9", device, headDim: 96);
        MatmulShape shape = new(8, 12 * 96, 64, CublasLt.Real16BF, CublasLt.Real16BF, false);
        Assert.True(few.Accepts(shape));
        Assert.False(few.Accepts(shape with { Rows = 33 }));
        // More inputs than the registers of eight multiprocessors hold.
        Assert.True(few.Accepts(shape with { Rows = 32, Inputs = 16384 }));
        Assert.False(few.Accepts(shape with { Rows = 32, Inputs = 16392 }));
        Assert.False(few.Supports(ProductEpilogue.SiluMul, shape with { Outputs = 25 }));
        Assert.True(few.Supports(ProductEpilogue.RotateAndStore, shape));
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(100, true)]
    [InlineData(1000, false)]
    public void The_library_adds_to_what_is_there(int rows, bool bias)
    {
        Gpu.Require();
        const int Outputs = 264;
        using CudaDevice device = CudaDevice.Open(0);
        using Matmul matmul = new(device, new KernelCompiler(device.Architecture, KernelCompiler.DefaultCacheFolder), cacheFolder: null);
        Random random = new(rows);
        ushort[] x = Values(random, rows * Inputs), w = Values(random, Outputs * Inputs), b = Values(random, Outputs), before = Values(random, rows * Outputs);
        using DeviceBuffer input = Send(device, x), weight = Send(device, w), added = Send(device, b), output = Send(device, before);
        MatmulShape shape = new(rows, Outputs, Inputs, CublasLt.Real16BF, CublasLt.Real16BF, bias);
        Assert.True(matmul.IsOfLibrary(shape, added.Address));
        Assert.Null(matmul.Fused(shape, added.Address));
        matmul.RunAdding(shape, input.Address, weight.Address, added.Address, output.Address);
        ushort[] actual = Elements(Fetch(device, output));
        double[] sums = Product(Numbers(x), Numbers(w), bias ? Numbers(b) : null, rows, Outputs, Inputs);
        for (int i = 0; i < sums.Length; i++)
        {
            // The library may round the sums before it adds, so the result is off by up to twice as much.
            AssertNear(Value(before[i]) + sums[i], Value(actual[i]), 2 * Absolute, 2 * Relative, $"[{i / Outputs}, {i % Outputs}]");
        }
    }

    private static void RotateAndCompare(string name, int rows, int norm, int headDim, int heads, int keyValueHeads)
    {
        const int BlockSize = 16, Positions = 300, Blocks = 6;
        int outputs = (heads + (2 * keyValueHeads)) * headDim, half = headDim / 2, cacheSize = Blocks * keyValueHeads * BlockSize * headDim;
        using Case c = new(name, rows, outputs, norm, bias: rows % 2 == 0, headDim);
        Random random = new(rows);
        float[] table = [.. Enumerable.Range(0, Positions * half).Select(i => i / half / Math.Pow(10000, i % half / (double)half)).SelectMany(a => (float[])[(float)Math.Cos(a), (float)Math.Sin(a)])];
        int[] positions = [.. Enumerable.Range(0, rows).Select(_ => random.Next(Positions))], slots = [.. Enumerable.Range(0, Blocks * BlockSize)];
        random.Shuffle(slots);
        using DeviceBuffer keys = Send(c.Device, Unwritten(cacheSize)), values = Send(c.Device, Unwritten(cacheSize));
        using DeviceBuffer cosSin = Send(c.Device, table), at = Send(c.Device, positions), to = Send(c.Device, slots[..rows]);
        c.Kernel.BlockSize = BlockSize;
        ushort[] queries = c.Run(ProductEpilogue.RotateAndStore, Unwritten(rows * outputs), new RotaryTarget(keys.Address, values.Address, cosSin.Address, at.Address, to.Address, heads, keyValueHeads));
        ushort[] k = Elements(Fetch(c.Device, keys)), v = Elements(Fetch(c.Device, values));
        for (int i = 0; i < rows * outputs; i++)
        {
            int row = i / outputs, head = i % outputs / headDim, d = i % headDim;
            double expected = c.Sums[i];
            if (head < heads + keyValueHeads)
            {
                int pair = d % half, first = i - d + pair, angle = 2 * ((positions[row] * half) + pair);
                expected = d < half
                    ? (c.Sums[first] * table[angle]) - (c.Sums[first + half] * table[angle + 1])
                    : (c.Sums[first + half] * table[angle]) + (c.Sums[first] * table[angle + 1]);
            }

            int place = ((((slots[row] / BlockSize * keyValueHeads) + ((head - heads) % keyValueHeads)) * BlockSize) + (slots[row] % BlockSize)) * headDim;
            // kv_cache.cuh: chunks of eight change places with the slot.
            ushort actual = head < heads ? queries[i] : (head < heads + keyValueHeads ? k : v)[place + (d ^ (slots[row] % 8 * 8))];
            AssertNear(expected, Value(actual), Absolute, Relative, $"head dim {headDim}: row {row}, head {head}, dimension {d}");
        }

        // Nothing beside the rows' own places.
        Assert.Equal(rows * keyValueHeads * headDim, k.Count(e => e != ushort.MaxValue));
        Assert.Equal(rows * keyValueHeads * headDim, v.Count(e => e != ushort.MaxValue));
    }

    /// <summary>Not a number, so that what is left out shows.</summary>
    private static ushort[] Unwritten(int count) => [.. Enumerable.Repeat(ushort.MaxValue, count)];

    private static ushort[] Elements(byte[] raw) => [.. raw.Chunk(2).Select(pair => BitConverter.ToUInt16(pair))];

    private static ushort Rounded(double value)
    {
        uint bits = BitConverter.SingleToUInt32Bits((float)value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>A product on the device, and its sums in float64.</summary>
    private sealed class Case : IDisposable
    {
        private readonly MatmulShape _shape;
        private readonly DeviceBuffer _input;
        private readonly DeviceBuffer _weight;
        private readonly DeviceBuffer _bias;
        private readonly DeviceBuffer _norm;
        private readonly InputNorm _takesNorm;

        public Case(string name, int rows, int outputs, int norm, bool bias, int headDim)
        {
            Gpu.Require();
            Device = CudaDevice.Open(0);
            Kernel = (FusedMatmul)Create(name, Device, headDim);
            Random random = new(rows + outputs);
            ushort[] x = Values(random, rows * Inputs), w = Values(random, outputs * Inputs), b = Values(random, outputs), g = Values(random, Inputs);
            _shape = new MatmulShape(rows, outputs, Inputs, CublasLt.Real16BF, CublasLt.Real16BF, bias);
            _takesNorm = (InputNorm)norm;
            (_input, _weight, _bias, _norm) = (Send(Device, x), Send(Device, w), Send(Device, b), Send(Device, g));
            double[] input = Numbers(x);
            for (int row = 0; row < rows; row++)
            {
                Span<double> of = input.AsSpan(row * Inputs, Inputs);
                double squares = 0;
                foreach (double value in of)
                {
                    squares += value * value;
                }

                double scale = 1 / Math.Sqrt((squares / Inputs) + 1e-5);
                for (int i = 0; i < Inputs; i++)
                {
                    of[i] = _takesNorm switch { InputNorm.Weighted => Value(Rounded(of[i] * scale * Value(g[i]))), InputNorm.Folded => of[i] * scale, _ => of[i] };
                }
            }

            Sums = Product(input, Numbers(w), bias ? Numbers(b) : null, rows, outputs, Inputs);
        }

        public CudaDevice Device { get; }

        public FusedMatmul Kernel { get; }

        public double[] Sums { get; }

        /// <summary>Runs it twice, so that what the first run counted would disturb the second.</summary>
        public ushort[] Run(ProductEpilogue after, ushort[] before, RotaryTarget rotary)
        {
            Assert.True(Kernel.Supports(after, _shape));
            using DeviceBuffer output = Send(Device, before);
            FusedProduct product = new(_shape, _input.Address, _weight.Address, _shape.Bias ? _bias.Address : 0, output.Address, _takesNorm, _takesNorm == InputNorm.Weighted ? _norm.Address : 0, 1e-5f, after, rotary);
            Kernel.Load(_shape, _takesNorm, after);
            Kernel.Run(product);
            Device.Synchronize();
            Overwrite(Device, output, before);
            Kernel.Run(product);
            return Elements(Fetch(Device, output));
        }

        public void Dispose()
        {
            _input.Dispose();
            _weight.Dispose();
            _bias.Dispose();
            _norm.Dispose();
            Kernel.Dispose();
            Device.Dispose();
        }
    }
}
