using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

public sealed unsafe class LinearTests : IDisposable
{
    private readonly CpuBackend _backend = new(3, WeightPlacement.Copied);
    private readonly TestTensors _tensors = new();

    public void Dispose()
    {
        _backend.Dispose();
        _tensors.Dispose();
    }

    [Theory]
    [InlineData(ElementType.Fp32, 16, 16)]
    [InlineData(ElementType.Fp32, 7, 24)]
    [InlineData(ElementType.Bf16, 66, 80)]
    [InlineData(ElementType.Bf16, 130, 2056)]
    [InlineData(ElementType.Fp16, 5, 1024)]
    [InlineData(ElementType.Fp16, 257, 1100)]
    [InlineData(ElementType.Bf16, 3, 24)]
    [InlineData(ElementType.Bf16, 67, 2080)]
    [InlineData(ElementType.Fp16, 130, 1056)]
    internal void Products_match_float64_for_any_number_of_rows(ElementType type, int outputs, int inputs)
    {
        var weights = _tensors.Add("w", type, outputs, inputs);
        var bias = _tensors.Add("b", type, 1, outputs);
        foreach (var mayReference in (bool[])[false, true])
        {
            using var weight = _backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", outputs, inputs), new ExpectedTensor("b", 1, outputs))], _tensors.Reader(mayReference));
            foreach (var rows in (int[])[1, 2, 3, 4, 5, 6, 7, 11, 16, 17, 29, 70])
            {
                var (x, y) = Multiply(weight, rows);
                for (var row = 0; row < rows; row++)
                {
                    for (var output = 0; output < outputs; output++)
                    {
                        var expected = (double)bias[output];
                        var size = Math.Abs(expected);
                        for (var i = 0; i < inputs; i++)
                        {
                            var product = (double)x[(row * inputs) + i] * weights[(output * inputs) + i];
                            expected += product;
                            size += Math.Abs(product);
                        }

                        // fp32 sums of n terms are wrong by at most some roundings of the terms' sizes.
                        Assert.Equal(expected, y[(row * outputs) + output], 1e-5 * size);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(ElementType.Fp32)]
    [InlineData(ElementType.Fp16)]
    [InlineData(ElementType.Bf16)]
    internal void A_row_has_the_same_bits_alone_and_among_others(ElementType type)
    {
        const int Outputs = 70;
        const int Inputs = 2100;
        _tensors.Add("w", type, Outputs, Inputs);
        using var weight = _backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", Outputs, Inputs), null)], _tensors.Reader(false));
        var (_, alone) = Multiply(weight, 1);
        foreach (var rows in (int[])[2, 3, 6, 9, 16, 17, 64])
        {
            var (_, together) = Multiply(weight, rows);
            Assert.Equal(alone, together[..Outputs]);
        }
    }

    [Theory]
    [InlineData(ElementType.Fp16, 70, 2112)]
    [InlineData(ElementType.Bf16, 70, 2112)]
    [InlineData(ElementType.Bf16, 9, 96)]
    internal void Packed_and_plain_rows_give_the_same_bits(ElementType type, int outputs, int inputs)
    {
        _tensors.Add("w", type, outputs, inputs);
        LinearPart[] parts = [new LinearPart(new ExpectedTensor("w", outputs, inputs), null)];
        using var packed = (CpuLinearWeight)_backend.LoadLinear("w", parts, _tensors.Reader(false));
        using var plain = (CpuLinearWeight)_backend.LoadLinear("w", parts, _tensors.Reader(true));
        Assert.Equal((true, false), (packed.Segments[0].IsPacked, plain.Segments[0].IsPacked));
        foreach (var rows in (int[])[1, 2, 4, 6, 16, 17])
        {
            Assert.Equal(Multiply(plain, rows).Output, Multiply(packed, rows).Output);
        }
    }

    [Theory]
    [InlineData(ElementType.Fp16, 64)]
    [InlineData(ElementType.Bf16, 64)]
    [InlineData(ElementType.Bf16, 56)]
    internal void A_packed_matrix_serves_as_embedding_table(ElementType type, int columns)
    {
        const int Rows = 7;
        var values = _tensors.Add("w", type, Rows, columns);
        using var weight = (CpuLinearWeight)_backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", Rows, columns), null)], _tensors.Reader(false));
        Assert.True(weight.Segments[0].IsPacked);
        using var table = _backend.ShareTable(weight);
        using var hidden = _backend.Allocate(Rows, columns);
        var batch = new Batch(Rows, Rows, 1) { TokenCount = Rows };
        for (var row = 0; row < Rows; row++)
        {
            batch.TokenIds[row] = Rows - 1 - row;
        }

        _backend.Embed(batch, table, 1, hidden);
        var embedded = _backend.ReadBack(hidden, Rows);
        for (var row = 0; row < Rows; row++)
        {
            Assert.Equal(values.AsSpan((Rows - 1 - row) * columns, columns).ToArray(), embedded.AsSpan(row * columns, columns).ToArray());
        }
    }

    [Fact]
    public void Parts_are_stacked_and_may_differ_in_type()
    {
        var first = _tensors.Add("q", ElementType.Bf16, 6, 32);
        var second = _tensors.Add("k", ElementType.Fp32, 3, 32);
        var bias = _tensors.Add("kb", ElementType.Fp16, 1, 3);
        using var weight = _backend.LoadLinear("qk", [new LinearPart(new ExpectedTensor("q", 6, 32), null), new LinearPart(new ExpectedTensor("k", 3, 32), new ExpectedTensor("kb", 1, 3))], _tensors.Reader(false));
        Assert.Equal((9, 32), (weight.Outputs, weight.Inputs));
        var (x, y) = Multiply(weight, 1);
        for (var output = 0; output < 9; output++)
        {
            var source = output < 6 ? first.AsSpan(output * 32, 32) : second.AsSpan((output - 6) * 32, 32);
            var expected = output < 6 ? 0.0 : bias[output - 6];
            for (var i = 0; i < 32; i++)
            {
                expected += (double)x[i] * source[i];
            }

            Assert.Equal(expected, y[output], 1e-4);
        }
    }

    private (float[] Input, float[] Output) Multiply(LinearWeight weight, int rows)
    {
        using var input = (CpuTensor)_backend.Allocate(rows, weight.Inputs);
        using var output = (CpuTensor)_backend.Allocate(rows, weight.Outputs);
        TestTensors.Fill(input, (row, column) => MathF.Sin((row * 31) + (column * 0.7f)));
        TestTensors.Fill(output, (_, _) => float.NaN);
        _backend.Linear(new Batch(rows, rows, 1) { TokenCount = rows }, input, weight, output);
        return (_backend.ReadBack(input, rows), _backend.ReadBack(output, rows));
    }
}
