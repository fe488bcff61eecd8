using System.Threading.Tasks.Sources;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine;

/// <summary>Carries the tokens of one request from the engine loop to its reader.</summary>
/// <remarks>The loop never waits for the reader: what is not taken collects here, at most the request's own token limit.
/// A reader that comes late gets more tokens at a time. One reader.</remarks>
internal sealed class RequestOutput : IRequestOutput, IValueTaskSource
{
    private readonly Lock _gate = new();
    private readonly ChoiceOutput[] _choices;
    private readonly int? _topCount;
    private readonly bool _announceTokens;
    private readonly ChoiceText[]? _texts;
    private ManualResetValueTaskSourceCore<bool> _wait = new() { RunContinuationsAsynchronously = true };
    private bool _isAwaited;
    private bool _isSignalled;
    private bool _hasNews;
    private bool _hasUrgentNews;
    private int _openChoices;

    /// <param name="choices">Of the request.</param>
    /// <param name="openChoices">Those of them that have not ended.</param>
    /// <param name="topCount">Alternatives per token; null without logprobs.</param>
    /// <param name="announceTokens">Wakes the reader for every token; else only when all choices have ended.</param>
    /// <param name="texts">One per choice where stop strings are looked for as tokens come; null where the reader makes the text.</param>
    public RequestOutput(int choices, int openChoices, int? topCount, bool announceTokens, ChoiceText[]? texts)
    {
        _texts = texts;
        _choices = new ChoiceOutput[choices];
        for (int i = 0; i < choices; i++)
        {
            _choices[i] = new ChoiceOutput();
        }

        _topCount = topCount;
        _announceTokens = announceTokens;
        _openChoices = openChoices;
    }

    /// <summary>Set where a feed has the reader; it is then told in the place of <see cref="WaitAsync"/>.</summary>
    public EngineRun? Run { get; set; }

    /// <summary>Waits until there is something to take.</summary>
    public ValueTask WaitAsync()
    {
        lock (_gate)
        {
            if (_isSignalled)
            {
                _isSignalled = false;
                return ValueTask.CompletedTask;
            }

            _isAwaited = true;
            _wait.Reset();
            return new ValueTask(this, _wait.Version);
        }
    }

    /// <summary>Wakes the reader.</summary>
    public void Signal()
    {
        bool wake;
        lock (_gate)
        {
            wake = _isAwaited;
            _isAwaited = false;
            _isSignalled = !wake;
        }

        if (wake)
        {
            _wait.SetResult(true);
        }
    }

    public bool AddToken(int choice, int tokenId, StepOutput output, int row)
    {
        lock (_gate)
        {
            ChoiceOutput state = _choices[choice];
            state.TokenIds.Add(tokenId);
            state.HasNews = true;
            _hasUrgentNews |= !state.HasBegun;
            state.HasBegun = true;
            if (_topCount is { } top)
            {
                state.Logprobs.Add(output.Logprobs[row]);
                int first = row * output.TopCount;
                state.TopIds.AddRange(output.TopIds.AsSpan(first, top));
                state.TopLogprobs.AddRange(output.TopLogprobs.AsSpan(first, top));
            }

            _hasNews |= _announceTokens;
            return _texts?[choice].Append(tokenId) ?? false;
        }
    }

    public void End(int choice, EngineFinishReason reason, string? error)
    {
        lock (_gate)
        {
            ChoiceOutput state = _choices[choice];
            state.FinishReason = reason;
            state.Error = error;
            state.HasNews = true;
            _hasUrgentNews = true;
            _hasNews |= --_openChoices == 0 || _announceTokens;
        }
    }

    public void Announce()
    {
        // Written by the loop's thread alone, so it may look without the lock.
        if (_hasNews)
        {
            _hasNews = false;
            if (Run is { } run)
            {
                run.Feed.Add(run, _hasUrgentNews);
                _hasUrgentNews = false;
            }
            else
            {
                Signal();
            }
        }
    }

    /// <summary>Takes what a choice has generated since it was last asked.</summary>
    /// <param name="readerText">Makes the text where the loop does not; null where nobody does.</param>
    /// <param name="scheduled">The request, for its counts.</param>
    /// <param name="tokensBefore">Tokens of the choice that were taken before; moved on.</param>
    /// <returns>Null when there is nothing new.</returns>
    public EngineDelta? Take(int choice, ChoiceText? readerText, ScheduledRequest scheduled, ref int tokensBefore)
    {
        int[] tokens;
        TokenLogprobs[]? logprobs;
        EngineFinishReason? reason;
        string? error;
        string text;
        lock (_gate)
        {
            ChoiceOutput state = _choices[choice];
            // A stop string is found a moment before the scheduler ends the choice: both are told together.
            if (!state.HasNews || (state.FinishReason is null && _texts?[choice].HasStopped == true))
            {
                return null;
            }

            text = _texts?[choice].Take(isLast: state.FinishReason is not null) ?? "";
            if (state.FinishReason == EngineFinishReason.Length && _texts?[choice].HasStopped == true)
            {
                // What the detokenizer held to the end completed a stop string.
                state.FinishReason = EngineFinishReason.Stop;
            }

            tokens = state.TokenIds.ToArray();
            logprobs = _topCount is { } top ? TakeLogprobs(state, top) : null;
            (reason, error) = (state.FinishReason, state.Error);
            state.TokenIds.Clear();
            state.HasNews = false;
        }

        tokensBefore += tokens.Length;
        return new EngineDelta
        {
            Index = choice,
            // Outside the lock: the loop must not wait for it.
            Text = readerText?.Append(tokens, isLast: reason is not null) ?? text,
            TokenIds = tokens,
            Logprobs = logprobs,
            FinishReason = reason,
            Error = error,
            PromptTokens = scheduled.Prompt.Length,
            CompletionTokens = tokensBefore,
            CachedTokens = scheduled.CachedTokens,
        };
    }

    void IValueTaskSource.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private static TokenLogprobs[] TakeLogprobs(ChoiceOutput state, int top)
    {
        var tokens = new TokenLogprobs[state.TokenIds.Count];
        for (int i = 0; i < tokens.Length; i++)
        {
            var alternatives = new TokenLogprob[top];
            for (int j = 0; j < top; j++)
            {
                alternatives[j] = new TokenLogprob(state.TopIds[(i * top) + j], state.TopLogprobs[(i * top) + j]);
            }

            tokens[i] = new TokenLogprobs(state.TokenIds[i], state.Logprobs[i], alternatives);
        }

        state.Logprobs.Clear();
        state.TopIds.Clear();
        state.TopLogprobs.Clear();
        return tokens;
    }
}
