using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Reads tensors for a backend, one at a time: checks their numbers and reports progress.</summary>
/// <param name="source">Where they come from.</param>
/// <param name="totalBytes">Of all tensors, for progress.</param>
/// <param name="scanForNonFinite">Looks through every number for NaN and infinity.</param>
/// <param name="mayReference">Backends may use the tensors in place where the source allows it.</param>
internal sealed class WeightReader(IWeightSource source, long totalBytes, bool scanForNonFinite, bool mayReference, IProgress<LoadProgress>? progress)
{
    private const int ScanPieceElements = 1 << 20;

    private long _loadedBytes;

    /// <summary>Quantised matrices that are read as plain ones.</summary>
    private float[] _plain = [];

    /// <summary>Tensors stay at their address as long as the model lives.</summary>
    public bool MayReference => mayReference && source.StaysMapped;

    /// <summary>What plain matrices are quantised to when <see cref="ReadQuantized"/> asks for them; null leaves one plain.</summary>
    public Func<ExpectedTensor, QuantizedCode?> Online { get; init; } = _ => null;

    /// <summary>A matrix in quantised form: as the checkpoint has it, or as <see cref="Online"/> says; null where neither does. Valid until the next call.</summary>
    /// <exception cref="ModelLoadException">A number is NaN or infinite.</exception>
    public QuantizedTensor? ReadQuantized(ExpectedTensor expected)
    {
        if (OpenQuantized(expected) is { } stored)
        {
            return stored;
        }

        return Online(expected) is { } code ? new OnlineQuantizedTensor(Read(expected), code) : null;
    }

    /// <summary>A tensor's contents, in fp32 where it is quantised; valid until the next call unless <see cref="MayReference"/> is set.</summary>
    /// <exception cref="ModelLoadException">A number is NaN or infinite.</exception>
    public HostTensor Read(ExpectedTensor expected)
    {
        if (OpenQuantized(expected) is { } quantized)
        {
            return Dequantize(quantized);
        }

        var tensor = source.Read(expected);
        if (scanForNonFinite && source.StaysMapped)
        {
            Scan(tensor);
        }

        Report(tensor.ByteCount);
        return tensor;
    }

    /// <summary>A matrix, or a stack of them, as the checkpoint has it quantised; null where it is plain.</summary>
    /// <exception cref="ModelLoadException">A number is NaN or infinite.</exception>
    public QuantizedTensor? OpenQuantized(ExpectedTensor expected)
    {
        if (source.OpenQuantized(expected) is not { } tensor)
        {
            return null;
        }

        if (scanForNonFinite && tensor.FindNonFinite() is { } place)
        {
            throw new ModelLoadException($"'{source.Name}': tensor '{tensor.Name}' holds NaN or infinity: {place}; every weight must be finite. Download the file again, or ask its publisher.");
        }

        Report((long)tensor.Rows * tensor.Columns * sizeof(ushort));
        return tensor;
    }

    private unsafe HostTensor Dequantize(QuantizedTensor tensor)
    {
        const int RowsPerPiece = 64;
        var elements = (long)tensor.Rows * tensor.Columns;
        if (_plain.Length < elements)
        {
            // Pinned, for its address goes out.
            _plain = GC.AllocateUninitializedArray<float>(checked((int)elements), pinned: true);
        }

        var address = (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _plain[0]);
        Parallel.For(0, (tensor.Rows + RowsPerPiece - 1) / RowsPerPiece, piece =>
        {
            var first = piece * RowsPerPiece;
            tensor.Dequantize(first, Math.Min(RowsPerPiece, tensor.Rows - first), (float*)address + ((long)first * tensor.Columns));
        });
        return new HostTensor(tensor.Name, ElementType.Fp32, tensor.Rows, tensor.Columns, address);
    }

    private void Report(long bytes)
    {
        _loadedBytes += bytes;
        progress?.Report(new LoadProgress("Loading weights", Math.Min(_loadedBytes, totalBytes), totalBytes));
    }

    private void Scan(HostTensor tensor)
    {
        var pieces = (int)((tensor.ElementCount + ScanPieceElements - 1) / ScanPieceElements);
        var firstBad = long.MaxValue;
        if (pieces == 1)
        {
            ScanPiece(0);
        }
        else
        {
            Parallel.For(0, pieces, ScanPiece);
        }

        if (firstBad != long.MaxValue)
        {
            throw new ModelLoadException($"'{source.Name}': tensor '{tensor.Name}' holds NaN or infinity at element [{firstBad / tensor.Columns}, {firstBad % tensor.Columns}]; every weight must be finite. Download the file again, or ask its publisher.");
        }

        void ScanPiece(int piece)
        {
            var start = (long)piece * ScanPieceElements;
            var count = Math.Min(ScanPieceElements, tensor.ElementCount - start);
            var found = NonFiniteScan.FirstNonFinite(tensor.Data + (nint)(start * tensor.Type.SizeBytes()), tensor.Type, count);
            if (found >= 0)
            {
                InterlockedMin(ref firstBad, start + found);
            }
        }
    }

    private static void InterlockedMin(ref long target, long value)
    {
        var seen = Volatile.Read(ref target);
        while (value < seen)
        {
            var before = Interlocked.CompareExchange(ref target, value, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }
}
