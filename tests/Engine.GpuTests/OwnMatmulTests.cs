using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.GpuTests;

/// <summary>Our own products for a few rows against float64 on the host.</summary>
public sealed unsafe class OwnMatmulTests
{
    public static TheoryData<string, int, int, int, bool, bool> Cases
    {
        get
        {
            TheoryData<string, int, int, int, bool, bool> cases = [];
            foreach ((string name, int most) in (IEnumerable<(string, int)>)[("vector", 4), ("skinny", 16), ("stream", 32)])
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
        KernelCompiler compiler = new(device.Architecture, KernelCompiler.DefaultCacheFolder);
        using OwnMatmul matmul = name switch
        {
            "vector" => new VectorMatmul(device, compiler, headDim: 128),
            "skinny" => new SkinnyMatmul(device, compiler),
            _ => new StreamMatmul(device, compiler),
        };
        Assert.Equal(name, matmul.Name);
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
        byte[] raw = new byte[bytes];
        fixed (byte* p = raw)
        {
            Driver.CopyToHostAsync(p, output.Address, (nuint)bytes, device.Stream).Check();
            device.Synchronize();
        }

        double scale = Math.Sqrt(inputs);
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < outputs; o++)
            {
                double expected = bias ? Value(b[o]) : 0;
                for (int i = 0; i < inputs; i++)
                {
                    expected += Value(x[(r * inputs) + i]) * Value(w[(o * inputs) + i]);
                }

                int at = (r * outputs) + o;
                double actual = floatOutput ? BitConverter.ToSingle(raw, at * 4) : Value(BitConverter.ToUInt16(raw, at * 2));
                Assert.True(Math.Abs(actual - expected) <= (floatOutput ? 1e-5 * scale : 1e-5 * scale + (Math.Abs(expected) / 250)), $"[{r}, {o}] is {actual}, expected {expected}");
            }
        }
    }

    private static ushort[] Values(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16))];

    private static double Value(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static DeviceBuffer Send(CudaDevice device, ushort[] values)
    {
        DeviceBuffer buffer = new(device, values.Length * 2L, "test");
        fixed (ushort* p = values)
        {
            Driver.CopyToDeviceAsync(buffer.Address, p, (nuint)values.Length * 2, device.Stream).Check();
            device.Synchronize();
        }

        return buffer;
    }
}
