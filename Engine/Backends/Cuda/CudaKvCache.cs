using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Keys and values of all layers: per layer two tensors [blocks + 1, kvHeads, blockSize, headDim], or with latent attention one
/// [blocks + 1, blockSize, cached columns]; the last block takes what padding writes. Kernels/kv_cache.cuh tells how rows of keys and values are kept.</summary>
internal sealed unsafe class CudaKvCache : IDisposable
{
    private readonly DeviceBuffer _buffer;
    private readonly DeviceBuffer _addresses;
    private readonly long _layerBytes;

    public CudaKvCache(CudaDevice device, KvCacheLayout layout)
    {
        Layout = layout;
        BlockElements = layout.BlockSize * TokenElements(layout);
        _layerBytes = (long)BlockElements * (layout.BlockCount + 1) * 2;
        _buffer = new DeviceBuffer(device, _layerBytes * TensorCount, $"a KV cache of {layout.BlockCount:N0} blocks");
        // Zeroes, so that what lies past a context is finite from the start.
        Driver.FillAsync(_buffer.Address, 0, (nuint)_buffer.Bytes, device.Stream).Check();
        nint[] addresses = [.. Enumerable.Range(0, TensorCount).Select(tensor => _buffer.Address + (nint)(_layerBytes * tensor))];
        _addresses = DeviceBuffer.Of<nint>(device, addresses, "the addresses of the KV cache");
    }

    public KvCacheLayout Layout { get; }

    /// <summary>Elements of a block in one tensor.</summary>
    public int BlockElements { get; }

    /// <summary>Tensors of all layers.</summary>
    public int TensorCount => Layout.LayerCount * TensorsPerLayer(Layout);

    /// <summary>[<see cref="TensorCount"/>] their device addresses, on the device.</summary>
    public nint Addresses => _addresses.Address;

    public long Bytes => _buffer.Bytes;

    public static long BlockBytes(KvCacheLayout layout) => 2L * layout.LayerCount * TensorsPerLayer(layout) * layout.BlockSize * TokenElements(layout);

    /// <summary>The layer's keys, or its compressed vectors.</summary>
    public nint Keys(int layer) => _buffer.Address + (nint)(_layerBytes * TensorsPerLayer(Layout) * layer);

    public nint Values(int layer) => Keys(layer) + (nint)_layerBytes;

    public void Dispose()
    {
        _addresses.Dispose();
        _buffer.Dispose();
    }

    private static int TensorsPerLayer(KvCacheLayout layout) => layout.Latent is null ? 2 : 1;

    /// <summary>Elements of a token in one tensor.</summary>
    private static int TokenElements(KvCacheLayout layout) =>
        layout.Latent is { } latent ? CudaLatent.CachedColumns(latent) : layout.Attention.KeyValueHeadCount * layout.Attention.HeadDim;
}
