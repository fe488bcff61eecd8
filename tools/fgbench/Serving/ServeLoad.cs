using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Fastgen.Tools.FgBench.Loads;

namespace Fastgen.Tools.FgBench.Serving;

/// <summary>Many requests: so many at once, or as they arrive.</summary>
/// <param name="Concurrency">Requests that are on their way at once where there is no rate.</param>
/// <param name="RatePerSecond">Poisson arrivals, whether earlier requests are done or not.</param>
/// <param name="PromptTokens">Length of prompts of token ids; null for chats.</param>
/// <param name="Vocabulary">Token ids of prompts are below it.</param>
/// <param name="MayEndEarly">The end of a sequence counts, so answers may have fewer tokens.</param>
internal sealed record ServeLoad(int Requests, int Concurrency, double? RatePerSecond, int Seed, int MaxTokens, int? PromptTokens, int Vocabulary, bool MayEndEarly)
{
    /// <summary>A short run after which compilers, connections and caches have settled.</summary>
    public ServeLoad Warmup => this with { Requests = Concurrency, RatePerSecond = null, MaxTokens = Math.Min(32, MaxTokens) };

    /// <summary>What a chat request asks.</summary>
    public static string Question(int index) => (index % 4) switch
    {
        0 => string.Create(CultureInfo.InvariantCulture, $"What is {index} plus {index * 7 % 100}?"),
        1 => string.Create(CultureInfo.InvariantCulture, $"Write a haiku about the sea, number {index}."),
        2 => string.Create(CultureInfo.InvariantCulture, $"Hello, I am guest {index}. How are you?"),
        _ => string.Create(CultureInfo.InvariantCulture, $"What is this project, in {index} words?"),
    };

    /// <summary>Prompt of a request of token ids.</summary>
    public int[] Tokens(int index)
    {
        var random = new Random(index);
        return [.. Enumerable.Range(0, PromptTokens ?? 0).Select(_ => random.Next(3, Vocabulary))];
    }

    /// <param name="progressLabel">Null shows no progress.</param>
    /// <exception cref="InvalidOperationException">A request failed or did not give all its tokens.</exception>
    public async Task<ServeOutcome> RunAsync(IServeTarget target, string? progressLabel, CancellationToken cancellationToken)
    {
        var answers = new ServeAnswer[Requests];
        double[] arrivals = Arrivals.Milliseconds(Requests, RatePerSecond, Seed);
        // The work of making requests is no part of what is measured.
        target.Prepare(Requests, MaxTokens);
        using var process = Process.GetCurrentProcess();
        TimeSpan cpuBefore = process.TotalProcessorTime;
        long pieces = 0;
        long start = Stopwatch.GetTimestamp();
        using (RunProgress.Start(progressLabel, (long)Requests * MaxTokens, () => Interlocked.Read(ref pieces)))
        {
            await (RatePerSecond is null ? InTurnAsync() : AsTheyArriveAsync());
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.Refresh();
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', answers.Select(answer => answer.Text)))));
        return new ServeOutcome(
            seconds,
            answers.Sum(answer => (long)answer.Tokens),
            Percentiles.Of(answers.Where(answer => answer.PieceMs.Count > 0).Select(answer => answer.PieceMs[0])),
            Percentiles.Of(answers.SelectMany(answer => EngineLoad.Between(answer.PieceMs))),
            hash,
            (process.TotalProcessorTime - cpuBefore).TotalSeconds);

        Task InTurnAsync()
        {
            int next = -1;
            return Task.WhenAll(Enumerable.Range(0, Concurrency).Select(_ => Task.Run(
                async () =>
                {
                    for (int index = Interlocked.Increment(ref next); index < Requests; index = Interlocked.Increment(ref next))
                    {
                        await AskAsync(index, Stopwatch.GetTimestamp());
                    }
                },
                cancellationToken)));
        }

        Task AsTheyArriveAsync() => Task.WhenAll(Enumerable.Range(0, Requests).Select(index => Task.Run(
            async () =>
            {
                await Arrivals.WaitAsync(start, arrivals[index], cancellationToken);
                // From the moment it was to arrive: a client that is late must not hide it.
                await AskAsync(index, start + (long)(arrivals[index] * Stopwatch.Frequency / 1e3));
            },
            cancellationToken)));

        async Task AskAsync(int index, long sent)
        {
            var times = new List<double>(MaxTokens);
            answers[index] = await target.StreamAsync(
                index,
                MaxTokens,
                () =>
                {
                    times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                    Interlocked.Increment(ref pieces);
                },
                cancellationToken) with
            { PieceMs = times };
            if (answers[index].Tokens != MaxTokens && !MayEndEarly)
            {
                throw new InvalidOperationException($"Request {index} gave {answers[index].Tokens} tokens and was to give {MaxTokens}; where the server does not know ignore_eos, run with --plain.");
            }
        }
    }
}
