namespace Fastgen.Engine.Backends;

/// <summary>Shape of multi-head latent attention, the same in all layers: a token leaves one vector for all heads, from which each head makes its key and value.</summary>
/// <param name="HeadCount">Query heads.</param>
/// <param name="ContentDim">Dimensions of a head's query and key without position; config.json <c>qk_nope_head_dim</c>.</param>
/// <param name="RopeDim">Dimensions with position; the key's are shared by all heads; <c>qk_rope_head_dim</c>.</param>
/// <param name="LatentDim">Dimensions of the compressed vector; <c>kv_lora_rank</c>.</param>
/// <param name="ValueDim">Dimensions of a head's value; <c>v_head_dim</c>.</param>
/// <param name="InterleavedRope">Rotation pairs neighbours, else dimension i with i + RopeDim / 2.</param>
/// <remarks>DeepSeek-AI 2024 (DeepSeek-V2), section 2.1.</remarks>
internal readonly record struct LatentLayout(int HeadCount, int ContentDim, int RopeDim, int LatentDim, int ValueDim, bool InterleavedRope)
{
    /// <summary>Dimensions of a head's query.</summary>
    public int QueryDim => ContentDim + RopeDim;

    /// <summary>What the cache keeps of a token.</summary>
    public int CachedDim => LatentDim + RopeDim;
}
