using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>Reads the keys of latent attention.</summary>
internal static class LatentRules
{
    /// <summary>Largest dimension of a head or of a compressed vector: beyond every published model.</summary>
    private const int MaxDim = 1 << 14;

    /// <summary>Largest width of all heads together.</summary>
    private const int MaxWidth = 1 << 24;

    /// <exception cref="ModelLoadException">A dimension is out of range.</exception>
    public static LatentConfig Read(ConfigJson json, int heads, bool interleavedRope)
    {
        var layout = new LatentLayout(
            heads,
            Dimension("qk_nope_head_dim", 128, multiple: 8),
            Dimension("qk_rope_head_dim", 64, multiple: 8),
            Dimension("kv_lora_rank", 512, multiple: 8),
            Dimension("v_head_dim", 128, multiple: 1),
            interleavedRope);
        var largest = Math.Max(Math.Max(layout.QueryDim, layout.ContentDim + layout.ValueDim), layout.LatentDim);
        if ((long)heads * largest > MaxWidth)
        {
            throw json.Error("num_attention_heads", $"is {heads:N0}, which with {largest:N0} dimensions a head makes {(long)heads * largest:N0}; supported: up to {MaxWidth:N0}.");
        }

        var rank = json.Integer("q_lora_rank", 1, MaxWidth) ?? (json.IsNull("q_lora_rank") ? null : 1536);
        return new LatentConfig(layout, rank);

        int Dimension(string key, int defaultValue, int multiple)
        {
            var value = json.Integer(key, 1, MaxDim) ?? defaultValue;
            return value % multiple == 0 ? value : throw json.Unsupported(key, $"{value}", $"multiples of {multiple} up to {MaxDim:N0}");
        }
    }
}
