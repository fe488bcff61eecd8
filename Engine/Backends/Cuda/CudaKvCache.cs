using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Keys and values of all layers: per layer two tensors [blocks + 1, kvHeads, blockSize, headDim]; the last block takes what padding writes.</summary>
internal sealed unsafe class CudaKvCache : IDisposable
{
    private readonly DeviceBuffer _buffer;
    private readonly DeviceBuffer _addresses;
    private readonly long _layerBytes;

    public CudaKvCache(CudaDevice device, KvCacheLayout layout)
    {
        Layout = layout;
        BlockElements = layout.Attention.KeyValueHeadCount * layout.BlockSize * layout.Attention.HeadDim;
        _layerBytes = (long)BlockElements * (layout.BlockCount + 1) * 2;
        _buffer = new DeviceBuffer(device, _layerBytes * 2 * layout.LayerCount, $"a KV cache of {layout.BlockCount:N0} blocks");
        // Zeroes, so that what lies past a context is finite from the start.
        Driver.FillAsync(_buffer.Address, 0, (nuint)_buffer.Bytes, device.Stream).Check();
        nint[] addresses = new nint[2 * layout.LayerCount];
        for (int layer = 0; layer < layout.LayerCount; layer++)
        {
            addresses[2 * layer] = Keys(layer);
            addresses[(2 * layer) + 1] = Values(layer);
        }

        _addresses = new DeviceBuffer(device, (long)addresses.Length * sizeof(nint), "the addresses of the KV cache");
        fixed (nint* source = addresses)
        {
            Driver.CopyToDeviceAsync(_addresses.Address, source, (nuint)(addresses.Length * sizeof(nint)), device.Stream).Check();
            device.Synchronize();
        }
    }

    public KvCacheLayout Layout { get; }

    /// <summary>Elements of a block in one tensor.</summary>
    public int BlockElements { get; }

    /// <summary>[2 × layers] device addresses of keys and values, on the device.</summary>
    public nint Addresses => _addresses.Address;

    public long Bytes => _buffer.Bytes;

    public static long BlockBytes(KvCacheLayout layout) =>
        2L * 2 * layout.LayerCount * layout.Attention.KeyValueHeadCount * layout.BlockSize * layout.Attention.HeadDim;

    public nint Keys(int layer) => _buffer.Address + (nint)(_layerBytes * 2 * layer);

    public nint Values(int layer) => Keys(layer) + (nint)_layerBytes;

    public void Dispose()
    {
        _addresses.Dispose();
        _buffer.Dispose();
    }
}
