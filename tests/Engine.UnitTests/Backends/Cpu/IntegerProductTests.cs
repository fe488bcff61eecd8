using System.Runtime.Intrinsics;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

/// <summary>Products with integer codes against float64 over the widened weights, where activations are of every size.</summary>
public sealed unsafe class IntegerProductTests
{
    private static readonly int[] RowCounts = [1, 2, 3, 4, 5, 8, 11, 16, 40, 101];

    /// <summary>Codes, outputs, inputs, columns of a group, zeros, whether columns are in an order of their own, whether codes are given.</summary>
    public static TheoryData<string, int, int, int, bool, bool, bool> Shapes => new()
    {
        { "int4", 33, 32, 32, false, false, true },
        { "int4", 16, 544, 32, false, false, false },
        { "int4", 47, 1152, 128, true, false, true },
        { "int4", 70, 640, 64, true, true, true },
        { "int4", 5, 1056, 1056, false, true, false },
        { "int8", 64, 576, 64, false, false, false },
        { "int8", 31, 1088, 1088, false, false, true },
        { "int8", 49, 96, 32, true, true, true },
        { "int8", 1, 2048, 128, true, false, false },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Products_are_as_near_as_the_rounding_of_activations_allows_in_either_width(string code, int outputs, int inputs, int groupInputs, bool hasZeros, bool isOrdered, bool isGiven)
    {
        var tensor = new RandomCodes(code == "int4" ? QuantizedCode.Int4 : QuantizedCode.Int8, outputs, inputs, groupInputs, hasZeros, isOrdered, isGiven);
        using var backend = new CpuBackend(2, WeightPlacement.Copied);
        using var weight = (CpuLinearWeight)backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", outputs, inputs), null)], tensor.Reader());
        var values = tensor.Values();
        foreach (var rows in RowCounts)
        {
            using var input = (CpuTensor)backend.Allocate(rows, inputs);
            using var output = (CpuTensor)backend.Allocate(rows, outputs);
            Fill(input);
            backend.Linear(new Batch(rows, rows, 1) { TokenCount = rows }, input, weight, output);
            for (var row = 0; row < rows; row++)
            {
                Check(tensor, values, input.Row(row), output.Row(row), isGiven ? 20 : 16);
            }

            var wide = Run<Simd512, Vector512<float>, Vector512<int>>(weight, tensor, input, isGiven);
            var narrow = Run<Simd256, Vector256<float>, Vector256<int>>(weight, tensor, input, isGiven);
            Assert.Equal(backend.ReadBack(output, rows), wide);
            Assert.Equal(wide, narrow);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_is_no_number_makes_its_own_row_no_numbers_and_no_other(float bad)
    {
        foreach (var isGiven in (bool[])[true, false])
        {
            var tensor = new RandomCodes(QuantizedCode.Int8, 40, 128, 64, hasZeros: true, isOrdered: false, isGiven);
            using var backend = new CpuBackend(2, WeightPlacement.Copied);
            using var weight = backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", 40, 128), null)], tensor.Reader());
            using var input = (CpuTensor)backend.Allocate(6, 128);
            using var output = backend.Allocate(6, 40);
            TestTensors.Fill(input, (row, column) => row == 4 && column == 70 ? bad : MathF.Sin(row + column));
            backend.Linear(new Batch(6, 6, 1) { TokenCount = 6 }, input, weight, output);
            var result = backend.ReadBack(output, 6);
            Assert.All(result[160..200], value => Assert.True(float.IsNaN(value)));
            Assert.All(result[..160], value => Assert.True(float.IsFinite(value)));
            Assert.All(result[200..], value => Assert.True(float.IsFinite(value)));
        }
    }

    [Fact]
    public void The_largest_sums_fit()
    {
        foreach (var sign in (float[])[1, -1])
        {
            var tensor = new RandomCodes(QuantizedCode.Int8, 32, 64, 64, hasZeros: false, isOrdered: false, isGiven: true) { AllCodes = 128 };
            using var backend = new CpuBackend(1, WeightPlacement.Copied);
            using var weight = backend.LoadLinear("w", [new LinearPart(new ExpectedTensor("w", 32, 64), null)], tensor.Reader());
            using var input = (CpuTensor)backend.Allocate(1, 64);
            using var output = (CpuTensor)backend.Allocate(1, 32);
            TestTensors.Fill(input, (_, _) => sign);
            backend.Linear(new Batch(1, 1, 1) { TokenCount = 1 }, input, weight, output);
            Check(tensor, tensor.Values(), input.Row(0), output.Row(0), 20);
        }
    }

    /// <summary>Rows of usual numbers, of zeros, of units from 1e-38 to 1e30, and with one number that is far larger than the others of its unit.</summary>
    private static void Fill(CpuTensor input)
    {
        var random = new Random(input.Rows);
        TestTensors.Fill(input, (row, column) =>
        {
            var value = (random.NextSingle() * 2) - 1;
            return (row % 4) switch
            {
                0 => value,
                1 => column % 37 == 5 ? value * 1000 : value,
                2 => column / 32 % 2 == 0 ? 0 : value,
                _ => value * MathF.Pow(10, (column / 32 * 17 % 68) - 38),
            };
        });
    }

    private static void Check(RandomCodes tensor, float[] values, float* x, float* y, int bits)
    {
        var unitMax = new double[tensor.Columns];
        for (var i = 0; i < tensor.Columns; i += 32)
        {
            for (var k = i; k < i + 32; k++)
            {
                unitMax[i] = Math.Max(unitMax[i], Math.Abs(x[tensor.ColumnAt(k)]));
            }

            unitMax.AsSpan(i + 1, 31).Fill(unitMax[i]);
        }

        for (var output = 0; output < tensor.Rows; output++)
        {
            var (expected, allowed) = (0.0, 0.0);
            for (var i = 0; i < tensor.Columns; i++)
            {
                var column = tensor.ColumnAt(i);
                var w = (double)values[(output * tensor.Columns) + column];
                expected += w * x[column];

                // Half a step of the activation for each input, and fp32 roundings of what is added; zeros are subtracted after adding.
                var scale = (double)tensor.Scale(output, i / tensor.Groups.Size);
                allowed += (Math.Abs(w) * Math.Max(unitMax[i], 1e-30) * Math.Pow(2, -bits)) + (256 * scale * unitMax[i] * 2e-7);
            }

            Assert.Equal(expected, y[output], (1.01 * allowed) + 1e-36);
        }
    }

    private static float[] Run<TSimd, TVector, TInteger>(CpuLinearWeight weight, RandomCodes tensor, CpuTensor input, bool isPrecise)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
    {
        var segment = weight.Segments[0];
        using var rounded = NativeBuffer.Allocate(input.Rows * RoundedInput.RowBytesOf(tensor.Columns));
        using var scratch = NativeBuffer.Allocate(IntegerProduct.ScratchBytes);
        using var ordered = new CpuTensor(input.Rows, tensor.Columns);
        TestTensors.Fill(ordered, (row, i) => input.Row(row)[tensor.ColumnAt(i)]);
        var integers = new RoundedInput(rounded.Pointer, input.Rows, tensor.Columns, isPrecise);
        for (var row = 0; row < input.Rows; row++)
        {
            integers.Round(ordered.Row(row), row);
        }

        var output = new float[input.Rows * tensor.Rows];
        fixed (float* y = output)
        {
            IntegerProduct.Run<TSimd, TVector, TInteger>(segment.Layout!, segment.Data, 0, tensor.Rows, integers, y, tensor.Rows, null, scratch.Pointer);
        }

        return output;
    }

    /// <summary>Random codes with scales and zeros, in any order of columns.</summary>
    private sealed class RandomCodes(QuantizedCode code, int rows, int columns, int groupColumns, bool hasZeros, bool isOrdered, bool isGiven)
        : QuantizedTensor("w", rows, columns, code, Group(columns, groupColumns, isOrdered)), IWeightSource
    {
        private readonly bool _hasZeros = hasZeros;

        /// <summary>Instead of random ones.</summary>
        public int? AllCodes { get; init; }

        public override ElementType ScaleType => ElementType.Fp32;

        public override bool IsGiven => isGiven;

        public bool StaysMapped => true;

        string IWeightSource.Name => "codes";

        public override float Scale(int row, int group) => 0.01f + (Hash(row, group) % 100 * 0.001f);

        public override int Zero(int row, int group) => !_hasZeros ? DefaultZero : Code == QuantizedCode.Int4 ? Hash(row, group) % 16 : (Hash(row, group) % 256) - 128;

        public int ColumnAt(int position) => Groups.Order is { } order ? order[position] : position;

        public float[] Values()
        {
            var values = new float[Rows * Columns];
            fixed (float* target = values)
            {
                Dequantize(0, Rows, target);
            }

            return values;
        }

        public WeightReader Reader() => new(this, 0, scanForNonFinite: true, mayReference: false, progress: null);

        public void Check(IReadOnlyList<ExpectedTensor> expected)
        {
        }

        public HostTensor Read(ExpectedTensor tensor) => throw new InvalidOperationException($"'{tensor.Name}' is not plain.");

        public QuantizedTensor? OpenQuantized(ExpectedTensor tensor) => new RandomCodes(Code, Rows, Columns, groupColumns, _hasZeros, isOrdered, isGiven) { AllCodes = AllCodes, HasZeros = _hasZeros };

        public void Dispose()
        {
        }

        protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
        {
            for (var row = 0; row < rows; row++)
            {
                for (var column = 0; column < Columns; column++)
                {
                    codes[(row * Columns) + column] = (byte)(AllCodes ?? (Hash(firstRow + row, column + 1000) & (Code == QuantizedCode.Int4 ? 15 : 255)));
                }
            }
        }

        private static ColumnGroups Group(int columns, int size, bool isOrdered)
        {
            var count = columns / size;
            return isOrdered ? ColumnGroups.Of([.. Enumerable.Range(0, columns).Select(column => column % count)], size, count) : ColumnGroups.Consecutive(columns, size);
        }

        private static int Hash(int a, int b)
        {
            var mixed = ((uint)a * 2654435761) ^ ((uint)b * 2246822519);
            mixed = (mixed ^ (mixed >> 15)) * 3266489917;
            return (int)((mixed ^ (mixed >> 13)) >> 4);
        }
    }
}
