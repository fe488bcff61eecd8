namespace Fastgen.Engine.Scheduling;

/// <summary>Numbers that bound a step.</summary>
/// <param name="MaxStepTokens">Tokens computed in one step.</param>
/// <param name="MaxRunningSequences">Sequences with blocks at a time.</param>
/// <param name="MaxPromptChunkTokens">Tokens of one sequence in one step.</param>
/// <param name="BlockSize">Tokens per KV block.</param>
/// <param name="PrefixCache">Full blocks are published and looked for.</param>
internal sealed record SchedulerLimits(int MaxStepTokens, int MaxRunningSequences, int MaxPromptChunkTokens, int BlockSize, bool PrefixCache)
{
    /// <summary>As <see cref="EngineOptions.PromptsFirst"/>.</summary>
    public bool PromptsFirst { get; init; }

    /// <summary>As <see cref="Batching.IStepRunner.Regime"/>.</summary>
    public Func<int, int> Regime { get; init; } = static _ => 0;
}
