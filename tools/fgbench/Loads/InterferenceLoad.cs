using System.Diagnostics;
using Fastgen.Engine;
using Fastgen.Engine.Sampling;

namespace Fastgen.Tools.FgBench.Loads;

/// <summary>Streams that decode without end, and long prompts that arrive beside them one after the other.</summary>
/// <param name="PauseTokens">Tokens that every stream gets before, between and after the long prompts.</param>
/// <param name="Repeat">Long prompts.</param>
internal sealed record InterferenceLoad(int Streams, int PromptTokens, int LongPromptTokens, int LongDecodeTokens, int PauseTokens, int Repeat, int Seed)
{
    /// <summary>Tokens of a stream at most: the pauses, and in each long prompt's time far more steps than it takes, also where the streams run on while their reader waits for a processor.</summary>
    public int StreamTokens => ((Repeat + 2) * PauseTokens) + (Repeat * ((LongPromptTokens / 256) + LongDecodeTokens + 512));

    /// <exception cref="ArgumentException">The model's context is too short.</exception>
    public void Check(LlmEngine engine)
    {
        if (LongPromptTokens + LongDecodeTokens > engine.MaxContextTokens || PromptTokens + ((Repeat + 2) * PauseTokens) > engine.MaxContextTokens)
        {
            throw new ArgumentException($"Sequences may have {engine.MaxContextTokens:N0} tokens, but the long prompt with its answer has {LongPromptTokens + LongDecodeTokens:N0} and a stream at least {PromptTokens + ((Repeat + 2) * PauseTokens):N0}; lower --long-prompt, --prompt, --pause or --repeat.");
        }
    }

    /// <exception cref="InvalidOperationException">A stream ended before the measurement did.</exception>
    public async Task<InterferenceOutcome> RunAsync(LlmEngine engine, CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp();
        // Alone first: the figure to compare with, and code and kernels are warm then.
        await LongAsync(engine, -2, start, cancel);
        double aloneSent = Now(start);
        double alone = (await LongAsync(engine, -1, start, cancel))[0] - aloneSent;

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var tokens = new StreamTokenTimes(Streams);
        Task[] streams = [.. Enumerable.Range(0, Streams).Select(i => Task.Run(() => StreamAsync(engine, i, tokens, start, stop.Token), cancel))];
        Task anyEnded = Task.WhenAny(streams).Unwrap();
        var windows = new List<(double From, double To)>();
        double begin;
        try
        {
            // The first pause is warming up: prompts of streams that began later still run beside those that decode.
            await tokens.WaitForAsync(PauseTokens, anyEnded, cancel);
            begin = Now(start);
            for (int i = 0; i < Repeat; i++)
            {
                await tokens.WaitForAsync(PauseTokens, anyEnded, cancel);
                double sent = Now(start);
                List<double> times = await LongAsync(engine, i, start, cancel);
                windows.Add((sent, times[0]));
            }

            await tokens.WaitForAsync(PauseTokens, anyEnded, cancel);
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(streams).ContinueWith(static _ => { }, TaskScheduler.Default);
        }

        return Evaluate(tokens.Times, begin, windows, alone);
    }

    /// <summary>Sorts the times between tokens by whether they overlap a long prompt's way to its first token.</summary>
    internal static InterferenceOutcome Evaluate(IReadOnlyList<IReadOnlyList<double>> streams, double begin, IReadOnlyList<(double From, double To)> windows, double alone)
    {
        List<double> before = [], during = [], after = [];
        foreach (IReadOnlyList<double> times in streams)
        {
            for (int i = 1; i < times.Count; i++)
            {
                if (times[i - 1] < begin)
                {
                    continue;
                }

                bool beside = windows.Any(window => times[i] > window.From && times[i - 1] < window.To);
                (beside ? during : times[i] <= windows[0].From ? before : after).Add(times[i] - times[i - 1]);
            }
        }

        return new InterferenceOutcome(Percentiles.Of(before), Percentiles.Of(during), Percentiles.Of(after), Percentiles.Of(windows.Select(window => window.To - window.From)), alone);
    }

    private static double Now(long start) => Stopwatch.GetElapsedTime(start).TotalMilliseconds;

    private async Task StreamAsync(LlmEngine engine, int index, StreamTokenTimes tokens, long start, CancellationToken stop)
    {
        try
        {
            await EngineLoad.TokenTimesAsync(engine, Request(engine, PromptTokens, Math.Min(StreamTokens, engine.MaxContextTokens - PromptTokens), index), 0, start, now => tokens.Add(index, now), stop);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        throw new InvalidOperationException($"Stream {index} came to its end before the long prompts did: its context of {engine.MaxContextTokens:N0} tokens was full or {StreamTokens:N0} tokens done; lower --pause, --repeat or --prompt.");
    }

    private Task<List<double>> LongAsync(LlmEngine engine, int index, long start, CancellationToken cancel) =>
        EngineLoad.TokenTimesAsync(engine, Request(engine, LongPromptTokens, LongDecodeTokens, Streams + 2 + index), LongDecodeTokens, start, null, cancel);

    private EngineRequest Request(LlmEngine engine, int promptTokens, int decodeTokens, int index) => new()
    {
        TokenIds = EngineLoad.RandomTokens(promptTokens, engine.Config!.VocabularySize, unchecked((Seed * 1_000_003) + index)),
        Sampling = new SamplingParameters { Temperature = 0, MaxTokens = decodeTokens, IgnoreEos = true },
    };
}
