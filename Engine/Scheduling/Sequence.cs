using Fastgen.Engine.KvCache;

namespace Fastgen.Engine.Scheduling;

/// <summary>The token state of one choice of a request. Belongs to the engine loop.</summary>
internal sealed class Sequence
{
    private int[] _tokens;

    public Sequence(ScheduledRequest request, int choice, ulong seed)
    {
        Request = request;
        Choice = choice;
        Seed = seed;
        PromptTokens = request.Prompt.Length;
        // The first choice reads the caller's array until it has a token of its own.
        _tokens = request.Prompt;
        KnownTokens = PromptTokens;
        Status = choice == 0 ? SequenceStatus.Waiting : SequenceStatus.AwaitingFork;
    }

    public ScheduledRequest Request { get; }

    public int Choice { get; }

    public ulong Seed { get; }

    public int PromptTokens { get; }

    public SequenceStatus Status { get; set; }

    public bool HasEnded => Status == SequenceStatus.Ended;

    public BlockTable Blocks { get; } = new();

    /// <summary>Prompt and output tokens that the host knows.</summary>
    public int KnownTokens { get; private set; }

    /// <summary>Tokens that steps in flight will choose.</summary>
    public int PendingTokens { get; set; }

    /// <summary>All tokens, known and pending.</summary>
    public int Length => KnownTokens + PendingTokens;

    /// <summary>Output tokens, known and pending.</summary>
    public int OutputTokens => Length - PromptTokens;

    /// <summary>Tokens whose keys and values are in the blocks, or will be once the steps in flight have run.</summary>
    public int ComputedTokens { get; set; }

    /// <summary>Length that it had when what is computed of it was begun, or any other of the same regime.</summary>
    public int RegimeLength { get; set; }

    /// <summary>Steps submitted and not collected that read or write this sequence's blocks.</summary>
    public int StepsInFlight { get; set; }

    /// <summary>Row of the last planned step whose token is pending.</summary>
    public int PendingRow { get; set; }

    /// <summary>Stable small number while it runs; see <see cref="Batching.SampleRow.SequenceSlot"/>.</summary>
    public int Slot { get; set; }

    public bool HasSlot { get; set; }

    public bool SlotIsNew { get; set; }

    /// <summary>Blocks offered to the prefix cache so far, and the hash of the last of them.</summary>
    public int PublishedBlocks { get; set; }

    public UInt128 PublishedHash { get; set; }

    /// <summary>Its logits were not finite, so its blocks must not be reused.</summary>
    public bool IsTainted { get; set; }

    public ReadOnlyMemory<int> Tokens => _tokens.AsMemory(0, KnownTokens);

    public void Append(int token)
    {
        if (_tokens.Length == KnownTokens)
        {
            int room = Math.Max(1, Request.MaxOutputTokens - (KnownTokens - PromptTokens));
            Array.Resize(ref _tokens, KnownTokens + Math.Min(room, Math.Max(256, KnownTokens / 2)));
        }

        _tokens[KnownTokens++] = token;
    }

    /// <summary>Set before the scheduler has it: it has tokens already, and ends at once for this reason.</summary>
    public EngineFinishReason? ResumedEnd { get; private set; }

    /// <summary>Takes tokens that were generated elsewhere as its own. It then computes its prompt itself, as after a preemption.</summary>
    /// <param name="end">Set when those tokens are all.</param>
    public void Resume(ReadOnlySpan<int> tokens, bool hasEnded, EngineFinishReason? end)
    {
        _tokens = [.. Request.Prompt, .. tokens];
        KnownTokens = _tokens.Length;
        Status = hasEnded ? SequenceStatus.Ended : SequenceStatus.Waiting;
        ResumedEnd = end;
    }

    /// <summary>Forgets everything computed, so that it begins anew with all its known tokens as prompt.</summary>
    public void Reset(BlockPool pool)
    {
        Blocks.ReleaseAll(pool);
        ComputedTokens = 0;
        PublishedBlocks = 0;
        PublishedHash = default;
    }

    /// <summary>Takes part in the blocks of the choice that computed the prompt.</summary>
    public void ForkFrom(Sequence first, BlockPool pool)
    {
        Blocks.ShareFrom(first.Blocks, pool);
        ComputedTokens = first.ComputedTokens;
        RegimeLength = first.RegimeLength;
        PublishedBlocks = first.PublishedBlocks;
        PublishedHash = first.PublishedHash;
        Status = SequenceStatus.Running;
    }
}
