using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Sampling;
using Fastgen.Engine.Scheduling;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine;

/// <summary>A loaded model that generates. Thread-safe: any number of requests may be in flight, and they run together.</summary>
public sealed partial class LlmEngine : IAsyncDisposable
{
    private readonly EngineLoop _loop;
    private readonly EngineOptions _options;
    private readonly int _vocabularySize;
    private readonly int _blockSize;
    private readonly int[] _endOfSequenceIds;

    private LlmEngine(IStepRunner runner, int contextTokens, GenerationDefaults defaults, Tokenizer? tokenizer, ChatTemplateSet? chatTemplates, EngineOptions options)
    {
        Tokenizer = tokenizer;
        ChatTemplates = chatTemplates;
        _options = options;
        _vocabularySize = runner.VocabularySize;
        _blockSize = runner.BlockSize;
        _endOfSequenceIds = [.. defaults.EndOfSequenceIds.Where(id => id < runner.VocabularySize)];
        Defaults = defaults;
        MaxContextTokens = (int)Math.Min(Math.Min(contextTokens, options.MaxContextTokens ?? contextTokens), (long)runner.BlockCount * runner.BlockSize);
        _loop = new EngineLoop(runner, options, MaxContextTokens);
    }

    /// <summary>What requests call the model.</summary>
    public string ModelName => _options.ModelName ?? "model";

    /// <summary>What the engine runs on, for people.</summary>
    public string DeviceName { get; private init; } = "";

    /// <summary>Prompt and output tokens together that one sequence may have: the model's limit, the option's, or what fits the KV cache.</summary>
    public int MaxContextTokens { get; }

    /// <summary>What loading took and where the memory went; null for an engine that was not loaded from a folder.</summary>
    public LoadReport? LoadReport { get; private init; }

    /// <summary>Free bytes of the GPU at this moment; null on a CPU.</summary>
    internal Func<long?> FreeDeviceBytes { get; private init; } = static () => null;

    /// <summary>What config.json says; null for an engine that was not loaded from a folder.</summary>
    internal ModelConfig? Config { get; private init; }

    /// <summary>The model's tokenizer; null when its folder has none, and then requests bring token ids.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>The model's chat templates; null when its folder has none.</summary>
    public ChatTemplateSet? ChatTemplates { get; }

    /// <summary>What the model's makers recommend for sampling.</summary>
    public GenerationDefaults Defaults { get; }

    /// <summary>What the engine does now and has done so far.</summary>
    public EngineStatistics Statistics => _loop.Statistics;

    /// <summary>Parked, working or ended: an engine without requests is parked.</summary>
    internal ThreadState LoopThreadState => _loop.ThreadState;

    /// <param name="runner">Owned: disposed with the engine.</param>
    /// <param name="contextTokens">Tokens that the model allows in one sequence.</param>
    internal static LlmEngine Create(
        IStepRunner runner, int contextTokens, GenerationDefaults defaults, EngineOptions options, Tokenizer? tokenizer = null, ChatTemplateSet? chatTemplates = null)
    {
        options.Validate();
        return new LlmEngine(runner, contextTokens, defaults, tokenizer, chatTemplates, options);
    }

    /// <summary>Generates, and gives what comes as it comes.</summary>
    /// <remarks>Cancelling or leaving the loop early aborts the request and frees what it holds.</remarks>
    /// <returns>Deltas in order per choice; the last of each choice has a finish reason.</returns>
    /// <exception cref="EngineRequestException">The request is wrong; thrown before the first delta.</exception>
    /// <exception cref="EngineOverloadedException">Too many requests are waiting.</exception>
    public async IAsyncEnumerable<EngineDelta> StreamAsync(EngineRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        PreparedRequest prepared = Prepare(request, announceTokens: true);
        _loop.Submit(prepared.Scheduled, countsAsWaiting: true);
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static output => ((RequestOutput)output!).Signal(), prepared.Output);
        try
        {
            int open = prepared.OpenChoices;
            while (open > 0)
            {
                await prepared.Output.WaitAsync();
                cancellationToken.ThrowIfCancellationRequested();
                for (int choice = 0; choice < request.N; choice++)
                {
                    if (prepared.Take(choice) is { } delta)
                    {
                        open -= delta.FinishReason is null ? 0 : 1;
                        yield return delta;
                    }
                }
            }
        }
        finally
        {
            _loop.Abort(prepared.Scheduled);
        }
    }

    /// <summary>Cancels all requests and frees the model.</summary>
    public ValueTask DisposeAsync() => _loop.DisposeAsync();

    private PreparedRequest Prepare(EngineRequest request, bool announceTokens)
    {
        int[] prompt = EncodePrompt(request);
        SamplingParameters sampling = request.Sampling;
        sampling.Validate(_vocabularySize);
        if (request.N < 1 || request.N > _options.MaxRunningSequences)
        {
            throw new EngineRequestException($"N is {request.N} but must be between 1 and {_options.MaxRunningSequences}, the sequences that run at once; ask for fewer choices or raise MaxRunningSequences.") { Parameter = nameof(EngineRequest.N) };
        }

        if (sampling.LogitBias is not null and not Dictionary<int, float>)
        {
            // The sampler goes through it for every token, which is free of allocation for this type only.
            sampling = sampling with { LogitBias = new Dictionary<int, float>(sampling.LogitBias) };
        }

        int? topCount = sampling.Logprobs is { } top ? Math.Min(top, _vocabularySize) : null;
        int[] stopTokenIds = ScheduledRequest.StopTokens(sampling, _endOfSequenceIds);
        ChoiceText[]? texts = NewTexts(request, prompt, stopTokenIds);
        // Stop strings must end the sequence at once, so the loop looks for them; other text is the reader's work.
        bool loopMakesText = sampling.StopStrings.Count > 0;
        int open = request.N - (request.Resumed?.Count(choice => choice.HasEnded) ?? 0);
        var output = new RequestOutput(request.N, open, topCount, announceTokens, loopMakesText ? texts : null);
        var scheduled = ScheduledRequest.Create(
            prompt,
            sampling,
            request.N,
            request.Priority,
            sampling.Seed ?? RandomSeed(),
            MaxContextTokens,
            stopTokenIds,
            _options.EnablePrefixCache ? _blockSize : null,
            output);
        if (request.Resumed is not null)
        {
            Resume(request, scheduled, texts);
        }

        return new PreparedRequest(scheduled, output, loopMakesText ? null : texts, open);
    }

    private static ulong RandomSeed()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }
}
