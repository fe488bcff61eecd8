using Fastgen.Engine.KvCache;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.Scheduling;

/// <summary>A request as the scheduler sees it: token ids, limits, and one sequence per choice.</summary>
internal sealed class ScheduledRequest
{
    private ScheduledRequest(int[] prompt, SamplingParameters sampling, IRequestOutput output, int[] stopTokenIds)
    {
        Prompt = prompt;
        Sampling = sampling;
        Output = output;
        StopTokenIds = stopTokenIds;
    }

    public int[] Prompt { get; }

    public SamplingParameters Sampling { get; }

    public IRequestOutput Output { get; }

    /// <summary>End-of-sequence and stop tokens: the sequence ends with any of them.</summary>
    public int[] StopTokenIds { get; }

    /// <summary>Lower runs earlier.</summary>
    public int Priority { get; private init; }

    /// <summary>Tokens that a sequence may generate: the request's limit or what the context has room for.</summary>
    public int MaxOutputTokens { get; private init; }

    /// <summary>Hashes of the prompt's full blocks; empty when the prefix cache is off.</summary>
    public UInt128[] PromptHashes { get; private init; } = [];

    /// <summary>One per choice; the first computes the prompt, the others are forked from it.</summary>
    public Sequence[] Sequences { get; private set; } = [];

    /// <summary>Order of arrival, given by the scheduler.</summary>
    public long Number { get; set; }

    /// <summary>Prompt tokens whose keys and values were found in the prefix cache when the request first ran.</summary>
    public int CachedTokens { get; set; }

    /// <summary>Counts against the bound of the waiting queue.</summary>
    public bool CountsAsWaiting { get; set; }

    /// <summary>It has been admitted once, or has ended without.</summary>
    public bool LeftQueue { get; set; }

    /// <summary>The prompt is computed and the other choices have been forked.</summary>
    public bool IsForked { get; set; }

    /// <param name="prompt">At least one token; the caller has checked that it fits.</param>
    /// <param name="choices">Sequences to generate.</param>
    /// <param name="seed">Resolved seed; choices after the first derive theirs from it.</param>
    /// <param name="contextTokens">Prompt and output tokens that one sequence may have.</param>
    /// <param name="stopTokenIds">Those of <see cref="StopTokens"/>.</param>
    /// <param name="hashBlockSize">Block size for the prefix cache; null when it is off.</param>
    public static ScheduledRequest Create(
        int[] prompt,
        SamplingParameters sampling,
        int choices,
        int priority,
        ulong seed,
        int contextTokens,
        int[] stopTokenIds,
        int? hashBlockSize,
        IRequestOutput output)
    {
        int room = contextTokens - prompt.Length;
        var request = new ScheduledRequest(prompt, sampling, output, stopTokenIds)
        {
            Priority = priority,
            MaxOutputTokens = Math.Min(sampling.MaxTokens ?? room, room),
            PromptHashes = hashBlockSize is { } size ? BlockHash.Chain(prompt, size) : [],
        };
        request.Sequences = new Sequence[choices];
        for (int i = 0; i < choices; i++)
        {
            request.Sequences[i] = new Sequence(request, i, ChoiceSeed(seed, i));
        }

        return request;
    }

    /// <summary>Gives a choice the tokens that it has from elsewhere. To be called for all choices or none.</summary>
    /// <param name="hasStopped">Its text holds a stop string.</param>
    public void Resume(int choice, int[] tokens, bool hasEnded, bool hasStopped)
    {
        EngineFinishReason? end =
            hasStopped || (tokens.Length > 0 && StopTokenIds.AsSpan().Contains(tokens[^1])) ? EngineFinishReason.Stop
            : tokens.Length >= MaxOutputTokens ? EngineFinishReason.Length
            : null;
        Sequences[choice].Resume(tokens, hasEnded, end);
        // Each choice has its own tokens behind the prompt, so none can be forked from another; the prefix cache may still share the prompt.
        IsForked = true;
    }

    /// <summary>Tokens that end a sequence: the request's own, and the model's unless the request ignores them.</summary>
    public static int[] StopTokens(SamplingParameters sampling, ReadOnlySpan<int> endOfSequenceIds) =>
        sampling.IgnoreEos ? [.. sampling.StopTokenIds] : [.. sampling.StopTokenIds, .. endOfSequenceIds];

    /// <summary>The first choice takes the request's seed, choice i a SplitMix64 hash of seed + i, so that choices differ and repeat.</summary>
    public static ulong ChoiceSeed(ulong seed, int choice)
    {
        if (choice == 0)
        {
            return seed;
        }

        ulong z = seed + ((ulong)choice * 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
