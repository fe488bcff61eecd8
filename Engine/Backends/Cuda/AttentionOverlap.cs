namespace Fastgen.Engine.Backends.Cuda;

/// <summary>How decode attention runs into its neighbours; the values are those of attention_decode.cu.</summary>
internal enum AttentionOverlap
{
    /// <summary>It starts after the kernel before it and ends before the one after it starts.</summary>
    None = 0,

    /// <summary>The kernel after it leaves room beside it and may start at once, to read its weights ahead.</summary>
    NextMayStart = 1,

    /// <summary>The kernel before it is attention of the same step's prompts: both run at the same time.</summary>
    BesidePrevious = 2,
}
