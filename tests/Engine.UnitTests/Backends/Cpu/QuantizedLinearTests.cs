using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;
using Fastgen.Engine.UnitTests.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

public sealed unsafe class QuantizedLinearTests : IDisposable
{
    private readonly CpuBackend _backend = new(3, WeightPlacement.Copied);
    private readonly TestTensors _tensors = new();

    public static TheoryData<string> Names => SampleCatalog.Names;

    public void Dispose()
    {
        _backend.Dispose();
        _tensors.Dispose();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Products_match_float64_for_any_number_of_rows(string name)
    {
        var sample = SampleCatalog.All[name]();
        using var weight = Load(_backend, sample);
        foreach (var rows in (int[])[1, 2, 3, 7, 16, 17, 40])
        {
            var (x, y) = Multiply(_backend, weight, rows);
            Check(sample.Values, x, y, rows, weight);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_row_has_the_same_bits_alone_and_among_others(string name)
    {
        using var weight = Load(_backend, SampleCatalog.All[name]());
        var (_, alone) = Multiply(_backend, weight, 1);
        foreach (var rows in (int[])[2, 5, 16, 17, 64])
        {
            Assert.Equal(alone, Multiply(_backend, weight, rows).Output[..weight.Outputs]);
        }
    }

    [Theory]
    [InlineData("awq g128", 4, 4.4)]
    [InlineData("packed int8 channel", 8, 9.1)]
    [InlineData("fp8 blocks", 8, 8.4)]
    [InlineData("mxfp4", 4, 4.95)] // two of the last tile's four rows are room
    public void Weights_stay_packed(string name, double codeBits, double limitBits)
    {
        using var weight = Load(_backend, SampleCatalog.All[name]());
        Assert.InRange(weight.ByteCount * 8.0 / ((double)weight.Outputs * weight.Inputs), codeBits, limitBits);
    }

    [Fact]
    public void Parts_of_different_formats_scales_and_orders_are_stacked()
    {
        var first = QuantizedSample.Gptq(24, 96, 32, 4, isV2: false, isSymmetric: false, order: column => column % 3);
        var second = QuantizedSample.Gptq(16, 96, 32, 4, isV2: false, isSymmetric: true, order: column => (column + 1) % 3);
        var third = QuantizedSample.Int8(9, 96, isSymmetric: true);
        using var source = new SampleSource(("q", first), ("k", second), ("v", third));
        using var weight = _backend.LoadLinear("qkv", [Part("q", 24), Part("k", 16), Part("v", 9)], source.Reader());
        foreach (var rows in (int[])[1, 3, 20])
        {
            var (x, y) = Multiply(_backend, weight, rows);
            Check([.. first.Values, .. second.Values, .. third.Values], x, y, rows, weight);
        }

        static LinearPart Part(string name, int rows) => new(new ExpectedTensor(name, rows, 96), null);
    }

    [Theory]
    [InlineData(QuantizedCode.Int4, 0.126)]
    [InlineData(QuantizedCode.Int8, 0.006)]
    internal void Plain_weights_are_quantised_while_they_are_loaded(QuantizedCode code, double largestError)
    {
        const int Rows = 70;
        const int Columns = 1120;
        var values = _tensors.Add("w", ElementType.Bf16, Rows, Columns);
        var reader = new WeightReader(_tensors, 0, scanForNonFinite: true, mayReference: true, progress: null) { Online = _ => code };
        using var weight = _backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", Rows, Columns), null)], reader);
        Assert.InRange(weight.ByteCount / (double)(Rows * Columns), 0.5, code == QuantizedCode.Int4 ? 0.6 : 1.1);
        using var table = _backend.ShareTable(weight);
        var quantised = Embed(table, Rows);
        for (var i = 0; i < values.Length; i++)
        {
            // Values are uniform in ± 1: half a step, and what rounding the scale to 8 bits loses at the ends. Int4 has a code less
            // on the side that the largest number is not on: a whole step of 1 / 8 there.
            Assert.Equal(values[i], quantised[i], largestError);
        }

        foreach (var rows in (int[])[1, 2, 33])
        {
            var (x, y) = Multiply(_backend, weight, rows);
            Check(quantised, x, y, rows, weight);
        }
    }

    [Fact]
    public void Groups_of_zeros_stay_zeros()
    {
        _tensors.Add("w", ElementType.Fp16, 5, 64, amplitude: 0);
        foreach (var code in (QuantizedCode[])[QuantizedCode.Int4, QuantizedCode.Int8])
        {
            var reader = new WeightReader(_tensors, 0, scanForNonFinite: true, mayReference: true, progress: null) { Online = _ => code };
            using var weight = _backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", 5, 64), null)], reader);
            Assert.All(Multiply(_backend, weight, 1).Output, value => Assert.Equal(0, value));
        }
    }

    [Fact]
    public void Inputs_are_rounded_where_that_is_asked_for()
    {
        using var backend = new CpuBackend(2, WeightPlacement.Copied, quantizeActivations: true);
        var sample = QuantizedSample.Fp8Static(20, 64);
        using var weight = Load(backend, sample);
        var (x, y) = Multiply(backend, weight, 3);

        // input_scale is 1/4: inputs in ± 1 become e4m3 numbers in ± 4.
        var rounded = Array.ConvertAll(x, value => Nearest(value * 4) / 4);
        Assert.NotEqual(x, rounded);
        Check(sample.Values, rounded, y, 3, weight);

        static float Nearest(float value) =>
            Enumerable.Range(0, 127).SelectMany(code => new[] { Float8.Widen((byte)code), -Float8.Widen((byte)code) }).MinBy(candidate => Math.Abs((double)candidate - value));
    }

    private static void Check(float[] weights, float[] x, float[] y, int rows, LinearWeight weight)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var output = 0; output < weight.Outputs; output++)
            {
                var (expected, size) = (0.0, 0.0);
                for (var i = 0; i < weight.Inputs; i++)
                {
                    var product = (double)x[(row * weight.Inputs) + i] * weights[(output * weight.Inputs) + i];
                    expected += product;
                    size += Math.Abs(product);
                }

                // fp32 sums of n terms are wrong by at most some roundings of the terms' sizes.
                Assert.Equal(expected, y[(row * weight.Outputs) + output], 1e-5 * size + 1e-30);
            }
        }
    }

    private static (float[] Input, float[] Output) Multiply(CpuBackend backend, LinearWeight weight, int rows)
    {
        using var input = (CpuTensor)backend.Allocate(rows, weight.Inputs);
        using var output = (CpuTensor)backend.Allocate(rows, weight.Outputs);
        TestTensors.Fill(input, (row, column) => MathF.Sin((row * 31) + (column * 0.7f)));
        TestTensors.Fill(output, (_, _) => float.NaN);
        backend.Linear(new Batch(rows, rows, 1) { TokenCount = rows }, input, weight, output);
        return (backend.ReadBack(input, rows), backend.ReadBack(output, rows));
    }

    private static LinearWeight Load(CpuBackend backend, QuantizedSample sample)
    {
        using var source = new SampleSource(("w", sample));
        return backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", sample.Rows, sample.Columns), null)], source.Reader());
    }

    private float[] Embed(DeviceTensor table, int rows)
    {
        using var hidden = _backend.Allocate(rows, table.Columns);
        var batch = new Batch(rows, rows, 1) { TokenCount = rows };
        for (var row = 0; row < rows; row++)
        {
            batch.TokenIds[row] = row;
        }

        _backend.Embed(batch, table, 1, hidden);
        return _backend.ReadBack(hidden, rows);
    }

    /// <summary>Samples under names of their own.</summary>
    private sealed class SampleSource(params (string Name, QuantizedSample Sample)[] samples) : IWeightSource
    {
        public bool StaysMapped => true;

        public string Name => "samples";

        public WeightReader Reader() => new(this, 0, scanForNonFinite: true, mayReference: true, progress: null);

        public void Check(IReadOnlyList<ExpectedTensor> expected)
        {
        }

        public HostTensor Read(ExpectedTensor tensor) => throw new InvalidOperationException($"'{tensor.Name}' is not plain.");

        public QuantizedTensor? OpenQuantized(ExpectedTensor tensor) => samples.Single(entry => entry.Name == tensor.Name).Sample.Open([]);

        public void Dispose()
        {
            foreach (var (_, sample) in samples)
            {
                sample.Tensors.KeepAlive();
            }
        }
    }
}
