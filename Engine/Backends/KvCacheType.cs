namespace Fastgen.Engine.Backends;

/// <summary>How keys and values are stored between steps.</summary>
public enum KvCacheType
{
    /// <summary>What the backend does best: fp32 on the CPU.</summary>
    Auto,

    /// <summary>32-bit floating point.</summary>
    Fp32,

    /// <summary>16-bit floating point; values beyond ±65,504 are clamped.</summary>
    Fp16,

    /// <summary>bfloat16.</summary>
    Bf16,
}
