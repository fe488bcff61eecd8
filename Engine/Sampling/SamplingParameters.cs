using System.Globalization;

namespace Fastgen.Engine.Sampling;

/// <summary>How the next token of one sequence is chosen, and when the sequence ends.</summary>
/// <remarks>Order of application: repetition, presence and frequency penalties, logit bias, minimum length, then
/// temperature, top-k, top-p, min-p. Logprobs are those of the raw logits (log-softmax before any of this), as OpenAI reports them.</remarks>
public sealed record SamplingParameters
{
    /// <summary>0 is greedy; otherwise logits are divided by it. Range [0, 100].</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Smallest set of tokens whose probabilities sum to this. Range (0, 1]; 1 turns it off.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Only the k most likely tokens; 0 turns it off.</summary>
    public int TopK { get; init; }

    /// <summary>Drops tokens less likely than this share of the most likely one. Range [0, 1]; 0 turns it off.</summary>
    public float MinP { get; init; }

    /// <summary>Seed of the counter-based generator; null draws one at random for the request.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Subtracted once from the logit of every token already generated. Range [-2, 2].</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit per time it was generated. Range [-2, 2].</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens in prompt and output; 1 turns it off. Range (0, 100].</summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Added to the logit of a token id. Values in [-100, 100].</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Texts that end the sequence; they are not part of the output.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Token ids that end the sequence, besides the model's own end-of-sequence ids.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Most tokens to generate; null allows all that the context has room for.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>End-of-sequence and stop tokens cannot be chosen before this many tokens; stop strings are not looked for either.</summary>
    public int MinTokens { get; init; }

    /// <summary>Goes on after the model's end-of-sequence token (benchmarks).</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Null: no logprobs. 0: of the chosen token. k: also the k most likely alternatives. Range [0, 20].</summary>
    public int? Logprobs { get; init; }

    /// <summary>Leaves special tokens out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Checks every value against its range.</summary>
    /// <param name="vocabularySize">Token ids must be below it.</param>
    /// <exception cref="EngineRequestException">A value is out of its range; the message names value, limit and remedy.</exception>
    public void Validate(int vocabularySize)
    {
        RequireRange(Temperature, 0, 100, nameof(Temperature), "0 is greedy, 1 is the model's own distribution");
        Require(TopP > 0 && TopP <= 1, $"TopP is {Show(TopP)} but must be above 0 and at most 1; 1 turns it off.", nameof(TopP));
        Require(TopK >= 0, $"TopK is {TopK} but must not be negative; 0 turns it off.", nameof(TopK));
        RequireRange(MinP, 0, 1, nameof(MinP), "0 turns it off");
        RequireRange(PresencePenalty, -2, 2, nameof(PresencePenalty), "0 turns it off");
        RequireRange(FrequencyPenalty, -2, 2, nameof(FrequencyPenalty), "0 turns it off");
        Require(RepetitionPenalty > 0 && RepetitionPenalty <= 100, $"RepetitionPenalty is {Show(RepetitionPenalty)} but must be above 0 and at most 100; 1 turns it off.", nameof(RepetitionPenalty));
        Require(MaxTokens is null or >= 1, $"MaxTokens is {MaxTokens} but must be at least 1; leave it out to use the whole context.", nameof(MaxTokens));
        Require(MinTokens >= 0, $"MinTokens is {MinTokens} but must not be negative; 0 turns it off.", nameof(MinTokens));
        Require(MaxTokens is null || MinTokens <= MaxTokens, $"MinTokens is {MinTokens} but MaxTokens is {MaxTokens}; lower the one or raise the other.", nameof(MinTokens));
        Require(Logprobs is null or (>= 0 and <= MaxLogprobs), $"Logprobs is {Logprobs} but must be between 0 and {MaxLogprobs}; ask for fewer alternatives.", nameof(Logprobs));
        foreach (int id in StopTokenIds)
        {
            RequireToken(id, vocabularySize, nameof(StopTokenIds));
        }

        foreach ((int id, float bias) in LogitBias ?? EmptyBias)
        {
            RequireToken(id, vocabularySize, nameof(LogitBias));
            RequireRange(bias, -100, 100, nameof(LogitBias), "-100 all but forbids a token, 100 all but forces it");
        }

        foreach (string stop in StopStrings)
        {
            Require(!string.IsNullOrEmpty(stop), "A stop string is empty, so it would end the output at once; leave it out.", nameof(StopStrings));
        }
    }

    /// <summary>Most alternatives that <see cref="Logprobs"/> may ask for.</summary>
    public const int MaxLogprobs = 20;

    private static readonly Dictionary<int, float> EmptyBias = [];

    private static void RequireRange(float value, float lowest, float highest, string name, string remedy) =>
        Require(value >= lowest && value <= highest, $"{name} is {Show(value)} but must be between {Show(lowest)} and {Show(highest)}; {remedy}.", name);

    private static void RequireToken(int id, int vocabularySize, string name) =>
        Require(id >= 0 && id < vocabularySize, $"{name} names token {id} but the model's vocabulary has the ids 0 to {vocabularySize - 1}; take one of those.", name);

    private static string Show(float value) => value.ToString(CultureInfo.InvariantCulture);

    private static void Require(bool holds, string message, string parameter)
    {
        if (!holds)
        {
            throw new EngineRequestException(message) { Parameter = parameter };
        }
    }
}
