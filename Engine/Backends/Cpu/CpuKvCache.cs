using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Keys and values of all layers in blocks.</summary>
/// <remarks>Keys [layer, block, kvHead, headDim, tokenStride]: the tokens of one dimension lie together, so scores of sixteen tokens are
/// formed lane by lane without sums across lanes. Values [layer, block, kvHead, token, headDim].</remarks>
internal sealed unsafe class CpuKvCache : IDisposable
{
    /// <summary>Tokens of a vector of scores.</summary>
    public const int TokenTile = 16;

    private readonly NativeBuffer _keys;
    private readonly NativeBuffer _values;
    private readonly nint _keyHeadBytes;
    private readonly nint _valueHeadBytes;
    private readonly nint _keyBlockBytes;
    private readonly nint _valueBlockBytes;

    public CpuKvCache(KvCacheLayout layout)
    {
        Layout = layout;
        ElementType = TypeOf(layout.Type);
        TokenStride = StrideOf(layout.BlockSize);
        var size = ElementType.SizeBytes();
        _keyHeadBytes = (nint)layout.Attention.HeadDim * TokenStride * size;
        _valueHeadBytes = (nint)layout.Attention.HeadDim * layout.BlockSize * size;
        _keyBlockBytes = _keyHeadBytes * layout.Attention.KeyValueHeadCount;
        _valueBlockBytes = _valueHeadBytes * layout.Attention.KeyValueHeadCount;
        _keys = NativeBuffer.Allocate(_keyBlockBytes * layout.BlockCount * layout.LayerCount);
        _values = NativeBuffer.Allocate(_valueBlockBytes * layout.BlockCount * layout.LayerCount);
    }

    public KvCacheLayout Layout { get; }

    public ElementType ElementType { get; }

    /// <summary>Tokens from one dimension of a block's keys to the next: the block size, rounded up to whole tiles.</summary>
    public int TokenStride { get; }

    public static long BlockBytes(KvCacheLayout layout) =>
        (long)layout.LayerCount * layout.Attention.KeyValueHeadCount * layout.Attention.HeadDim
            * (StrideOf(layout.BlockSize) + layout.BlockSize) * TypeOf(layout.Type).SizeBytes();

    /// <summary>[headDim, TokenStride]</summary>
    public byte* Keys(int layer, int block, int head) =>
        _keys.Pointer + ((((nint)layer * Layout.BlockCount) + block) * _keyBlockBytes) + (head * _keyHeadBytes);

    /// <summary>[BlockSize, headDim]</summary>
    public byte* Values(int layer, int block, int head) =>
        _values.Pointer + ((((nint)layer * Layout.BlockCount) + block) * _valueBlockBytes) + (head * _valueHeadBytes);

    public void CopyBlock(int source, int destination)
    {
        for (var layer = 0; layer < Layout.LayerCount; layer++)
        {
            Buffer.MemoryCopy(Keys(layer, source, 0), Keys(layer, destination, 0), _keyBlockBytes, _keyBlockBytes);
            Buffer.MemoryCopy(Values(layer, source, 0), Values(layer, destination, 0), _valueBlockBytes, _valueBlockBytes);
        }
    }

    public void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
    }

    private static int StrideOf(int blockSize) => (blockSize + TokenTile - 1) / TokenTile * TokenTile;

    public static ElementType TypeOf(KvCacheType type) => type switch
    {
        KvCacheType.Fp16 => ElementType.Fp16,
        KvCacheType.Bf16 => ElementType.Bf16,
        _ => ElementType.Fp32,
    };
}
