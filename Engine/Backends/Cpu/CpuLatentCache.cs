using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>The compressed vectors of all layers in blocks: [layer, block, token, latent then position part], each padded with zeros to whole vectors.</summary>
internal sealed unsafe class CpuLatentCache : IDisposable
{
    private readonly NativeBuffer _rows;
    private readonly nint _blockBytes;

    public CpuLatentCache(KvCacheLayout layout)
    {
        Layout = layout;
        Latent = layout.Latent!.Value;
        ElementType = CpuKvCache.TypeOf(layout.Type);
        RowColumns = CpuTensor.Pad(Latent.CachedDim);
        RowBytes = (nint)RowColumns * ElementType.SizeBytes();
        _blockBytes = RowBytes * layout.BlockSize;

        // Zeros where rows are padded: whole vectors are multiplied.
        var bytes = _blockBytes * layout.BlockCount * layout.LayerCount;
        _rows = RowColumns == Latent.CachedDim ? NativeBuffer.Allocate(bytes) : NativeBuffer.AllocateZeroed(bytes);
    }

    public KvCacheLayout Layout { get; }

    public LatentLayout Latent { get; }

    public ElementType ElementType { get; }

    /// <summary>Elements from one token to the next.</summary>
    public int RowColumns { get; }

    public nint RowBytes { get; }

    public static long BlockBytes(KvCacheLayout layout) =>
        (long)layout.LayerCount * layout.BlockSize * CpuTensor.Pad(layout.Latent!.Value.CachedDim) * CpuKvCache.TypeOf(layout.Type).SizeBytes();

    /// <summary>[BlockSize, RowColumns]</summary>
    public byte* Block(int layer, int block) => _rows.Pointer + ((((nint)layer * Layout.BlockCount) + block) * _blockBytes);

    public void CopyBlock(int source, int destination)
    {
        for (var layer = 0; layer < Layout.LayerCount; layer++)
        {
            Buffer.MemoryCopy(Block(layer, source), Block(layer, destination), _blockBytes, _blockBytes);
        }
    }

    public void Dispose() => _rows.Dispose();
}
