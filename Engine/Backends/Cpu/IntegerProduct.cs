using System.Runtime.CompilerServices;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Some outputs of a linear layer with integer codes: rounded rows × weightᵀ + bias, a strip of two vectors of outputs at a time.</summary>
internal static unsafe class IntegerProduct
{
    /// <summary>Outputs that every strip's width divides: items begin at multiples.</summary>
    public const int StripOutputs = 2 * IntegerKernel.TileOutputs;

    /// <summary>Memory that <see cref="Run"/> needs.</summary>
    public const int ScratchBytes = PassRows * StripOutputs * sizeof(float);

    /// <summary>Most rows that take a strip in one go; more go over it in blocks that stay in a first-level cache.</summary>
    private const int StreamRows = 8;

    /// <summary>Units of such a block: 32 outputs × 512 inputs are 16 KiB in 8 bits.</summary>
    private const int BlockUnits = 16;

    /// <summary>Rows whose sums stay in the first-level cache beside that.</summary>
    private const int PassRows = 96;

    /// <param name="data">First tile of the matrix.</param>
    /// <param name="start">First output, a multiple of <see cref="StripOutputs"/>.</param>
    /// <param name="count">Outputs.</param>
    /// <param name="output">Of the first row, at the first output.</param>
    /// <param name="bias">Likewise; null is none.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/>, from a multiple of 64.</param>
    public static void Run<TSimd, TVector, TInteger>(QuantizedLayout layout, byte* data, int start, int count, in RoundedInput input, float* output, nint outputStride, float* bias, byte* scratch)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
    {
        if (layout.Code == QuantizedCode.Int4)
        {
            ChooseScales<TSimd, TVector, TInteger, Int4Element>(layout, data, start, count, input, output, outputStride, bias, scratch);
        }
        else
        {
            ChooseScales<TSimd, TVector, TInteger, Int8Element>(layout, data, start, count, input, output, outputStride, bias, scratch);
        }
    }

    private static void ChooseScales<TSimd, TVector, TInteger, TElement>(QuantizedLayout layout, byte* data, int start, int count, in RoundedInput input, float* output, nint outputStride, float* bias, byte* scratch)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
    {
        switch (layout.ScaleType)
        {
            case ElementType.Fp32:
                Multiply<TSimd, TVector, TInteger, TElement, Float32Element>(layout, data, start, count, input, output, outputStride, bias, scratch);
                break;
            case ElementType.Fp16:
                Multiply<TSimd, TVector, TInteger, TElement, Float16Element>(layout, data, start, count, input, output, outputStride, bias, scratch);
                break;
            default:
                Multiply<TSimd, TVector, TInteger, TElement, BFloat16Element>(layout, data, start, count, input, output, outputStride, bias, scratch);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TSimd, TVector, TInteger, TElement, TScale>(QuantizedLayout layout, byte* data, int start, int count, in RoundedInput input, float* output, nint outputStride, float* bias, byte* scratch)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
        where TScale : struct, IElement
    {
        var sums = (float*)scratch;
        var strip = 2 * TSimd.Lanes;
        var units = layout.Inputs / QuantizedWeights.UnitInputs;
        var blockUnits = input.Rows > StreamRows ? BlockUnits : units;
        for (var done = 0; done < count; done += strip)
        {
            var valid = Math.Min(strip, count - done);
            for (var row = 0; row < input.Rows; row += PassRows)
            {
                var rows = Math.Min(PassRows, input.Rows - row);
                new Span<float>(sums, rows * strip).Clear();
                for (var unit = 0; unit < units; unit += blockUnits)
                {
                    var block = BlockOf<TSimd, TVector>(layout, data, start + done, valid, unit, Math.Min(blockUnits, units - unit));
                    IntegerKernel.AddBlock<TSimd, TVector, TInteger, TElement, TScale>(block, input, row, rows, unit, sums);
                }

                for (var r = 0; r < rows; r++)
                {
                    Write<TSimd, TVector>(sums + (r * strip), valid, bias is null ? null : bias + done, output + ((row + r) * outputStride) + done);
                }
            }
        }
    }

    private static IntegerBlock BlockOf<TSimd, TVector>(QuantizedLayout layout, byte* data, int output, int valid, int unit, int units)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // Sixteen lanes take a tile each, where there is a second; eight take its halves.
        var tile = data + (output / IntegerKernel.TileOutputs * layout.TileBytes);
        var isWhole = TSimd.Lanes == IntegerKernel.TileOutputs;
        var next = isWhole && valid > IntegerKernel.TileOutputs ? tile + layout.TileBytes : tile;
        var half = isWhole ? 0 : 1;
        var group = unit * QuantizedWeights.UnitInputs / layout.GroupInputs;
        var groupUnits = layout.GroupInputs / QuantizedWeights.UnitInputs;
        var codes = layout.CodeOffset + ((nint)unit * layout.UnitBytes * IntegerKernel.TileOutputs);
        var scales = (nint)group * IntegerKernel.TileOutputs * layout.ScaleType.SizeBytes();
        var zeros = layout.ZeroOffset + ((nint)group * IntegerKernel.TileOutputs);
        return new IntegerBlock
        {
            First = tile + codes,
            Second = next + codes + (half * IntegerKernel.LineBytes / 2),
            FirstScales = tile + scales,
            SecondScales = next + scales + (half * TSimd.Lanes * layout.ScaleType.SizeBytes()),
            FirstZeros = layout.HasZeros ? (sbyte*)tile + zeros : null,
            SecondZeros = layout.HasZeros ? (sbyte*)next + zeros + (half * TSimd.Lanes) : null,
            DefaultZero = layout.DefaultZero,
            Units = units,
            UnitsToGroupEnd = groupUnits - (unit % groupUnits),
            GroupUnits = groupUnits,
        };
    }

    private static void Write<TSimd, TVector>(float* sums, int valid, float* bias, float* destination)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var i = 0;
        for (; i + TSimd.Lanes <= valid; i += TSimd.Lanes)
        {
            var sum = TSimd.Load(sums + i);
            TSimd.Store(bias is null ? sum : TSimd.Add(sum, TSimd.Load(bias + i)), destination + i);
        }

        for (; i < valid; i++)
        {
            destination[i] = bias is null ? sums[i] : sums[i] + bias[i];
        }
    }
}
