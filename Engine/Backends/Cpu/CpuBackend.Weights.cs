using System.Runtime.Intrinsics;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <content>What is loaded from a checkpoint.</content>
internal sealed unsafe partial class CpuBackend
{
    public LinearWeight LoadLinear(string name, IReadOnlyList<LinearPart> parts, WeightReader reader, DeviceTensor? norm = null)
    {
        var inputs = parts[0].Weight.Columns;
        var outputs = parts.Sum(part => part.Weight.Rows);
        var owned = new List<NativeBuffer>();
        var segments = new List<CpuLinearWeight.Segment>();
        CpuTensor? bias = null;
        try
        {
            var first = 0;
            foreach (var part in parts)
            {
                segments.Add(reader.ReadQuantized(part.Weight) is { } quantized
                    ? LoadQuantized(quantized, first, segments, owned)
                    : LoadSegment(reader.Read(part.Weight), first, reader.MayReference, owned));
                if (part.Bias is { } expected)
                {
                    bias ??= new CpuTensor(1, outputs);
                    Widen(reader.Read(expected), bias.Data + first);
                }

                first += part.Weight.Rows;
            }

            return new CpuLinearWeight(outputs, inputs, segments, bias, owned);
        }
        catch
        {
            bias?.Dispose();
            owned.ForEach(buffer => buffer.Dispose());
            throw;
        }
    }

    public DeviceTensor LoadTable(HostTensor table, bool mayReference)
    {
        var rowBytes = (nint)table.Columns * table.Type.SizeBytes();
        if (mayReference)
        {
            return new CpuTable(table.Rows, table.Columns, table.Type, (byte*)table.Data, rowBytes, false, null);
        }

        var buffer = NativeBuffer.Allocate(table.ByteCount);
        CopyRows((byte*)table.Data, rowBytes, buffer.Pointer, rowBytes, table.Rows);
        return new CpuTable(table.Rows, table.Columns, table.Type, buffer.Pointer, rowBytes, false, buffer);
    }

    public DeviceTensor ShareTable(LinearWeight matrix)
    {
        var segment = ((CpuLinearWeight)matrix).Segments[0];
        return new CpuTable(matrix.Outputs, matrix.Inputs, segment.Type, segment.Data, segment.RowBytes, segment.IsPacked, null) { Layout = segment.Layout };
    }

    public DeviceTensor LoadVector(HostTensor vector, float offset)
    {
        var tensor = new CpuTensor(1, vector.Columns);
        Widen(vector, tensor.Data);
        if (offset != 0)
        {
            for (var i = 0; i < vector.Columns; i++)
            {
                tensor.Data[i] += offset;
            }
        }

        return tensor;
    }

    private static CpuLinearWeight.Segment LoadSegment(HostTensor tensor, int firstOutput, bool mayReference, List<NativeBuffer> owned)
    {
        var size = tensor.Type.SizeBytes();
        var rowBytes = (nint)tensor.Columns * size;
        var paddedBytes = (nint)CpuTensor.Pad(tensor.Columns) * size;
        if (mayReference && paddedBytes == rowBytes)
        {
            return new CpuLinearWeight.Segment(tensor.Type, (byte*)tensor.Data, rowBytes, firstOutput, tensor.Rows, isPacked: false);
        }

        if (PackedWeights.CanHold(tensor.Type, tensor.Columns))
        {
            var tiles = NativeBuffer.Allocate(PackedWeights.ByteCount(tensor.Rows, tensor.Columns));
            owned.Add(tiles);
            PackedWeights.Pack(tensor, tiles.Pointer);
            return new CpuLinearWeight.Segment(tensor.Type, tiles.Pointer, paddedBytes, firstOutput, tensor.Rows, isPacked: true);
        }

        var bytes = paddedBytes * tensor.Rows;
        var buffer = paddedBytes == rowBytes ? NativeBuffer.Allocate(bytes) : NativeBuffer.AllocateZeroed(bytes);
        owned.Add(buffer);
        CopyRows((byte*)tensor.Data, rowBytes, buffer.Pointer, paddedBytes, tensor.Rows);
        return new CpuLinearWeight.Segment(tensor.Type, buffer.Pointer, paddedBytes, firstOutput, tensor.Rows, isPacked: false);
    }

    private CpuLinearWeight.Segment LoadQuantized(QuantizedTensor tensor, int firstOutput, List<CpuLinearWeight.Segment> before, List<NativeBuffer> owned)
    {
        var fits = QuantizedWeights.CanHold(tensor);
        var bits = !fits || tensor.Code is not (QuantizedCode.Int4 or QuantizedCode.Int8) ? 0 : tensor.IsGiven ? InputPreparation.PreciseBits : InputPreparation.FastBits;
        var wanted = new InputPreparation(fits ? tensor.Groups.Order : null, _quantizeActivations ? tensor.Activations : null, bits);

        // Parts that want the same share one prepared input.
        var preparation = wanted.IsNeeded ? before.Select(segment => segment.Preparation).FirstOrDefault(wanted.IsSameAs) ?? wanted : null;
        if (!fits)
        {
            return LoadWidened(tensor, firstOutput, owned) with { Preparation = preparation };
        }

        var layout = new QuantizedLayout(tensor);
        var buffer = NativeBuffer.Allocate(QuantizedWeights.ByteCount(layout, tensor.Rows));
        owned.Add(buffer);
        QuantizedWeights.Pack(tensor, layout, buffer.Pointer);
        return new CpuLinearWeight.Segment(layout.ScaleType, buffer.Pointer, layout.TileBytes / layout.TileOutputs, firstOutput, tensor.Rows, isPacked: true)
        {
            Layout = layout,
            Preparation = preparation,
        };
    }

    /// <summary>Groups that kernels cannot take by whole units are rare and small models': fp32 rows.</summary>
    private static CpuLinearWeight.Segment LoadWidened(QuantizedTensor tensor, int firstOutput, List<NativeBuffer> owned)
    {
        const int PieceRows = 64;
        var stride = CpuTensor.Pad(tensor.Columns);
        var buffer = NativeBuffer.AllocateZeroed((long)stride * tensor.Rows * sizeof(float));
        owned.Add(buffer);
        Parallel.For(0, (tensor.Rows + PieceRows - 1) / PieceRows, piece =>
        {
            var first = piece * PieceRows;
            for (var row = first; row < Math.Min(first + PieceRows, tensor.Rows); row++)
            {
                tensor.Dequantize(row, 1, (float*)buffer.Pointer + ((nint)row * stride));
            }
        });
        return new CpuLinearWeight.Segment(ElementType.Fp32, buffer.Pointer, (nint)stride * sizeof(float), firstOutput, tensor.Rows, isPacked: false);
    }

    private static void CopyRows(byte* source, nint sourceStride, byte* destination, nint destinationStride, int rows)
    {
        const int PieceBytes = 4 << 20;
        var rowsPerPiece = (int)Math.Max(1, PieceBytes / sourceStride);
        Parallel.For(0, (rows + rowsPerPiece - 1) / rowsPerPiece, piece =>
        {
            var end = Math.Min((piece + 1) * rowsPerPiece, rows);
            for (var row = piece * rowsPerPiece; row < end; row++)
            {
                Buffer.MemoryCopy(source + (row * sourceStride), destination + (row * destinationStride), sourceStride, sourceStride);
            }
        });
    }

    private static void Widen(HostTensor vector, float* destination) => WidenRow(vector.Type, (byte*)vector.Data, destination, vector.Columns);

    private static void WidenRow(ElementType type, byte* source, float* destination, int count)
    {
        switch (type)
        {
            case ElementType.Fp32:
                WidenRow<Float32Element>(source, destination, count);
                break;
            case ElementType.Fp16:
                WidenRow<Float16Element>(source, destination, count);
                break;
            default:
                WidenRow<BFloat16Element>(source, destination, count);
                break;
        }
    }

    private static void WidenRow<TElement>(byte* source, float* destination, int count)
        where TElement : struct, IElement
    {
        var i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256.Store(TElement.Load<Simd256, Vector256<float>>(source + (i * TElement.SizeBytes)), destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = TElement.LoadOne(source + (i * TElement.SizeBytes));
        }
    }
}
