namespace Fastgen.Engine.Scheduling;

/// <summary>Totals since start. Written by the engine loop alone.</summary>
internal sealed class SchedulerCounters
{
    public long Steps { get; set; }

    /// <summary>Tokens that went through the model, prompts and outputs.</summary>
    public long ComputedTokens { get; set; }

    public long GeneratedTokens { get; set; }

    /// <summary>Tokens not computed because the prefix cache had them.</summary>
    public long CachedTokens { get; set; }

    public long Preemptions { get; set; }

    /// <summary>Blocks copied on write.</summary>
    public long CopiedBlocks { get; set; }

    /// <summary>Requests that counted as waiting and were admitted, or ended before.</summary>
    public long LeftQueue { get; set; }
}
