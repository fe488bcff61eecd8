using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.GpuTests;

/// <summary>Our own products for a few rows against float64 on the host.</summary>
public sealed unsafe partial class OwnMatmulTests
{
    public static TheoryData<string, int, int, int, bool, bool> Cases
    {
        get
        {
            TheoryData<string, int, int, int, bool, bool> cases = [];
            foreach ((string name, int most) in (IEnumerable<(string, int)>)[("vector", VectorMatmul.MaxRows), ("skinny", 16), ("stream", 32), ("stationary9", StationaryMatmul.MaxRows)])
            {
                for (int rows = 1; rows <= most; rows++)
                {
                    // Odd sizes: a part of a tile of outputs, of a box of inputs, one output too many for a pair.
                    cases.Add(name, rows, 17 + (rows % 5 * 64), 8 * ((rows * 7 % 41) + 1), rows % 2 == 0, rows % 3 == 0);
                }

                cases.Add(name, most, 1000, 13824, false, true);
                cases.Add(name, most - 1, 4096, 4096, true, false);
                cases.Add(name, 1, 6144, 4096, true, false);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Agrees_with_float64(string name, int rows, int outputs, int inputs, bool bias, bool floatOutput)
    {
        Gpu.Require();
        using CudaDevice device = CudaDevice.Open(0);
        using OwnMatmul matmul = Create(name, device, headDim: 128);
        Random random = new(rows + outputs);
        ushort[] x = Values(random, rows * inputs), w = Values(random, outputs * inputs), b = Values(random, outputs);
        using DeviceBuffer dx = Send(device, x), dw = Send(device, w), db = Send(device, b);
        int bytes = rows * outputs * (floatOutput ? 4 : 2);
        using DeviceBuffer output = new(device, bytes, "test");
        Driver.FillAsync(output.Address, 0xff, (nuint)bytes, device.Stream).Check();
        MatmulShape shape = new(rows, outputs, inputs, CublasLt.Real16BF, floatOutput ? CublasLt.Real32F : CublasLt.Real16BF, bias);
        Assert.True(matmul.Accepts(shape));
        // Twice: what the first run counted must not disturb the second.
        matmul.Run(shape, dx.Address, dw.Address, db.Address, output.Address);
        Driver.FillAsync(output.Address, 0xff, (nuint)bytes, device.Stream).Check();
        matmul.Run(shape, dx.Address, dw.Address, db.Address, output.Address);
        byte[] raw = Fetch(device, output);
        double[] expected = Product(Numbers(x), Numbers(w), bias ? Numbers(b) : null, rows, outputs, inputs);
        double scale = Math.Sqrt(inputs);
        for (int i = 0; i < expected.Length; i++)
        {
            double actual = floatOutput ? BitConverter.ToSingle(raw, i * 4) : Value(BitConverter.ToUInt16(raw, i * 2));
            AssertNear(expected[i], actual, 1e-5 * scale, floatOutput ? 0 : 1.0 / 250, $"[{i / outputs}, {i % outputs}]");
        }
    }

    /// <summary>The kernel of a name; skips the test where the device has not the instructions.</summary>
    private static OwnMatmul Create(string name, CudaDevice device, int headDim)
    {
        if (name.EndsWith('9') && !StationaryMatmul.RunsOn(device))
        {
            Assert.Skip($"{device.Name} has not the instructions of Hopper.");
        }

        KernelCompiler compiler = new(device.Architecture, KernelCompiler.DefaultCacheFolder);
        OwnMatmul matmul = name switch
        {
            "vector" => new VectorMatmul(device, compiler, headDim),
            "skinny" => new SkinnyMatmul(device, compiler),
            "stream" => new StreamMatmul(device, compiler),
            "gated9" => new HopperGatedMatmul(device, compiler, headDim),
            _ => new StationaryMatmul(device, compiler, headDim),
        };
        Assert.Equal(name, matmul.Name);
        return matmul;
    }

    /// <summary>[rows, outputs] in float64.</summary>
    private static double[] Product(double[] x, double[] w, double[]? bias, int rows, int outputs, int inputs)
    {
        double[] result = new double[rows * outputs];
        Parallel.For(0, outputs, o =>
        {
            for (int r = 0; r < rows; r++)
            {
                double sum = bias?[o] ?? 0;
                for (int i = 0; i < inputs; i++)
                {
                    sum += x[(r * inputs) + i] * w[(o * inputs) + i];
                }

                result[(r * outputs) + o] = sum;
            }
        });
        return result;
    }

    private static void AssertNear(double expected, double actual, double absolute, double relative, string where) =>
        Assert.True(Math.Abs(actual - expected) <= absolute + (relative * Math.Abs(expected)), $"{where} is {actual}, expected {expected}");

    private static ushort[] Values(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16))];

    private static double Value(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static double[] Numbers(ushort[] bits) => Array.ConvertAll(bits, Value);

    private static DeviceBuffer Send<T>(CudaDevice device, T[] values)
        where T : unmanaged
    {
        DeviceBuffer buffer = new(device, (long)values.Length * sizeof(T), "test");
        Overwrite(device, buffer, values);
        return buffer;
    }

    private static void Overwrite<T>(CudaDevice device, DeviceBuffer buffer, T[] values)
        where T : unmanaged
    {
        fixed (T* p = values)
        {
            Driver.CopyToDeviceAsync(buffer.Address, p, (nuint)(values.Length * sizeof(T)), device.Stream).Check();
            device.Synchronize();
        }
    }

    private static byte[] Fetch(CudaDevice device, DeviceBuffer buffer)
    {
        byte[] raw = new byte[buffer.Bytes];
        fixed (byte* p = raw)
        {
            Driver.CopyToHostAsync(p, buffer.Address, (nuint)raw.Length, device.Stream).Check();
            device.Synchronize();
        }

        return raw;
    }
}
