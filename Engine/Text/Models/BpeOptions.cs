namespace Fastgen.Engine.Text.Models;

/// <summary>The settings of a BPE model, as tokenizer.json names them.</summary>
internal sealed record BpeOptions
{
    /// <summary><c>unk_token</c>.</summary>
    public string? UnknownToken { get; init; }

    /// <summary><c>continuing_subword_prefix</c>; empty: none.</summary>
    public string ContinuingSubwordPrefix { get; init; } = "";

    /// <summary><c>end_of_word_suffix</c>; empty: none.</summary>
    public string EndOfWordSuffix { get; init; } = "";

    /// <summary><c>fuse_unk</c>: a row of unknown characters is one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary><c>byte_fallback</c>: unknown characters become tokens &lt;0xNN&gt;.</summary>
    public bool ByteFallback { get; init; }

    /// <summary><c>ignore_merges</c>: a piece that is a token is that token.</summary>
    public bool IgnoreMerges { get; init; }
}
