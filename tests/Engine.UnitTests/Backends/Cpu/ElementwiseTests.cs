using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

public sealed unsafe class ElementwiseTests : IDisposable
{
    private readonly CpuBackend _backend = new(2, WeightPlacement.Copied);
    private readonly TestTensors _tensors = new();

    public void Dispose()
    {
        _backend.Dispose();
        _tensors.Dispose();
    }

    [Theory]
    [InlineData(1, 64)]
    [InlineData(3, 24)]
    [InlineData(50, 1000)]
    public void Norms_match_float64(int rows, int columns)
    {
        const float Epsilon = 1e-2f;
        var weights = _tensors.Add("norm", ElementType.Bf16, 1, columns);
        using var weight = _backend.LoadVector(_tensors.Read(new ExpectedTensor("norm", 1, columns)), 0);
        using var hidden = (CpuTensor)_backend.Allocate(rows, columns);
        using var delta = (CpuTensor)_backend.Allocate(rows, columns);
        using var output = (CpuTensor)_backend.Allocate(rows, columns);
        var batch = new Batch(rows, 1, 1) { TokenCount = rows };
        TestTensors.Fill(hidden, (row, column) => MathF.Sin(row + column));
        TestTensors.Fill(delta, (row, column) => MathF.Cos(row - (2 * column)));
        var before = _backend.ReadBack(hidden, rows);

        _backend.RmsNorm(batch, hidden, weight, Epsilon, output);
        Assert.Equal(before, _backend.ReadBack(hidden, rows));
        Check(before, _backend.ReadBack(output, rows));

        _backend.AddRmsNorm(batch, hidden, delta, weight, Epsilon, output);
        var sum = before.Zip(_backend.ReadBack(delta, rows), (a, b) => a + b).ToArray();
        Assert.Equal(sum, _backend.ReadBack(hidden, rows));
        Check(sum, _backend.ReadBack(output, rows));

        void Check(float[] input, float[] actual)
        {
            for (var row = 0; row < rows; row++)
            {
                var mean = input.Skip(row * columns).Take(columns).Average(value => (double)value * value);
                for (var i = 0; i < columns; i++)
                {
                    var at = (row * columns) + i;
                    Assert.Equal(input[at] / Math.Sqrt(mean + Epsilon) * weights[i], actual[at], 1e-5);
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 16, "Silu")]
    [InlineData(2, 5003, "Silu")]
    [InlineData(3, 37, "Silu")]
    [InlineData(2, 5003, "GeluTanh")]
    [InlineData(3, 37, "GeluTanh")]
    [InlineData(2, 5003, "Gelu")]
    [InlineData(3, 37, "Gelu")]
    [InlineData(3, 37, "Relu")]
    public void Gated_activations_match_float64(int rows, int columns, string name)
    {
        using var gateUp = (CpuTensor)_backend.Allocate(rows, 2 * columns);
        using var output = (CpuTensor)_backend.Allocate(rows, columns);

        // Large gates: the result is the gate, or nothing, and never NaN.
        var activation = Enum.Parse<Activation>(name);
        TestTensors.Fill(gateUp, (row, column) => column % 11 == 0 ? 200 * ((column % 2) - 0.5f) : MathF.Sin(row + (column * 0.37f)) * 9);
        _backend.GatedActivation(new Batch(rows, 1, 1) { TokenCount = rows }, gateUp, activation, output);
        var input = _backend.ReadBack(gateUp, rows);
        var actual = _backend.ReadBack(output, rows);
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < columns; i++)
            {
                double gate = input[(row * 2 * columns) + i];
                var expected = Reference(activation, gate) * input[(row * 2 * columns) + columns + i];

                // The approximation of Φ is off by 1e-7, and gates and factors here reach 9.
                var tolerance = activation == Activation.Gelu ? 4e-5 : 1e-5;
                Assert.Equal(expected, actual[(row * columns) + i], tolerance * Math.Max(1, Math.Abs(expected)));
            }
        }
    }

    [Fact]
    public void Embeddings_are_scaled_and_norm_weights_shifted()
    {
        var values = _tensors.Add("table", ElementType.Bf16, 8, 24);
        using var table = _backend.LoadTable(_tensors.Read(new ExpectedTensor("table", 8, 24)), mayReference: false);
        using var hidden = _backend.Allocate(2, 24);
        var batch = new Batch(2, 1, 1) { TokenCount = 2 };
        (batch.TokenIds[0], batch.TokenIds[1]) = (7, 3);
        _backend.Embed(batch, table, 5.5f, hidden);
        var scaled = _backend.ReadBack(hidden, 2);
        for (var i = 0; i < 24; i++)
        {
            Assert.Equal(5.5 * values[(7 * 24) + i], scaled[i], 1e-6);
            Assert.Equal(5.5 * values[(3 * 24) + i], scaled[24 + i], 1e-6);
        }

        var stored = _tensors.Add("vector", ElementType.Bf16, 1, 24);
        using var shifted = _backend.LoadVector(_tensors.Read(new ExpectedTensor("vector", 1, 24)), 1);
        Assert.Equal(stored.Select(value => (float)(value + 1)), _backend.ReadBack(shifted, 1));
    }

    [Theory]
    [InlineData(1f)]
    [InlineData(50f)]
    public void Soft_caps_match_float64(float cap)
    {
        var values = new float[37];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = i % 7 == 0 ? (i - 18) * 1e4f : MathF.Sin(i) * 3 * cap;
        }

        var before = values.ToArray();
        fixed (float* start = values)
        {
            SoftCap.Apply(start, values.Length, cap);
        }

        for (var i = 0; i < values.Length; i++)
        {
            Assert.Equal(cap * Math.Tanh(before[i] / (double)cap), values[i], 1e-6 * cap);
        }
    }

    /// <summary>Φ by the trapezoidal rule, which needs no formula for erf.</summary>
    private static double Reference(Activation activation, double x)
    {
        switch (activation)
        {
            case Activation.Silu:
                return x / (1 + Math.Exp(-x));
            case Activation.GeluTanh:
                return x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))) / 2;
            case Activation.Relu:
                return Math.Max(x, 0);
            default:
                const int Steps = 2000;
                var end = Math.Clamp(x, -12, 12);
                var sum = (1 + Math.Exp(-end * end / 2)) / 2;
                for (var i = 1; i < Steps; i++)
                {
                    var t = end * i / Steps;
                    sum += Math.Exp(-t * t / 2);
                }

                return x * (0.5 + (sum * end / Steps / Math.Sqrt(2 * Math.PI)));
        }
    }
}
