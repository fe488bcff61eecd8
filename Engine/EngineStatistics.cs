namespace Fastgen.Engine;

/// <summary>What an engine does now and has done since it was loaded.</summary>
public readonly record struct EngineStatistics
{
    /// <summary>Sequences that hold KV blocks.</summary>
    public int RunningSequences { get; init; }

    /// <summary>Sequences that wait for blocks or a place among the running ones; preempted ones too.</summary>
    public int WaitingSequences { get; init; }

    /// <summary>KV blocks of the device.</summary>
    public int TotalBlocks { get; init; }

    /// <summary>KV blocks that no sequence uses; those kept for the prefix cache are among them.</summary>
    public int FreeBlocks { get; init; }

    /// <summary>KV blocks, used or free, whose content the prefix cache can find.</summary>
    public int CachedBlocks { get; init; }

    /// <summary>Tokens per KV block.</summary>
    public int BlockSize { get; init; }

    /// <summary>Steps planned.</summary>
    public long Steps { get; init; }

    /// <summary>Steps that the device failed to run.</summary>
    public long FailedSteps { get; init; }

    /// <summary>Tokens generated.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>Tokens of prompts of all requests accepted.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Tokens that went through the model: prompts, outputs, and what was computed again after preemption.</summary>
    public long ComputedTokens { get; init; }

    /// <summary>Tokens that did not, because the prefix cache had them.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Sequences that had to give their blocks back and begin anew.</summary>
    public long Preemptions { get; init; }

    /// <summary>Blocks copied because two sequences shared them and one wrote.</summary>
    public long CopiedBlocks { get; init; }

    /// <summary>The device failed repeatedly, and the engine takes no more requests.</summary>
    public bool IsFaulted { get; init; }

    /// <summary>Milliseconds that a GPU computed; 0 on a CPU.</summary>
    public double DeviceBusyMs { get; init; }

    /// <summary>Milliseconds that a GPU waited between steps that followed each other.</summary>
    public double DeviceGapMs { get; init; }
}
