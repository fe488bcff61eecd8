namespace Fastgen.Engine.Backends;

/// <summary>Size and type of the paged KV cache.</summary>
internal sealed record KvCacheLayout
{
    public required int LayerCount { get; init; }

    /// <summary>With <see cref="Latent"/>: all heads, one key head, its dimensions those of a cached vector.</summary>
    public required AttentionLayout Attention { get; init; }

    /// <summary>Set where a token leaves one compressed vector in place of keys and values.</summary>
    public LatentLayout? Latent { get; init; }

    /// <summary>Tokens per block.</summary>
    public required int BlockSize { get; init; }

    public required int BlockCount { get; init; }

    public KvCacheType Type { get; init; }
}
