using System.Runtime.CompilerServices;
using Fastgen.Contracts;
using Fastgen.Engine;

namespace Fastgen.Serving;

/// <summary>Serves requests of the API with an engine in this process.</summary>
public sealed class EngineGenerationService : IGenerationService
{
    private readonly LlmEngine _engine;
    private readonly RequestTranslator _translator;
    private readonly TokenTexts _tokenTexts;
    private readonly RetryEstimate _retryEstimate = new();
    private readonly IReadOnlyList<ModelInfo> _models;

    /// <param name="engine">Not owned: whoever loaded it disposes it.</param>
    /// <param name="options">Null takes the defaults.</param>
    public EngineGenerationService(LlmEngine engine, EngineServiceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        options ??= new EngineServiceOptions();
        _engine = engine;
        _translator = new RequestTranslator(engine.Defaults, options);
        _tokenTexts = new TokenTexts(engine.Tokenizer);
        long created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        _models = [.. (options.ModelNames ?? [engine.ModelName]).Select(name => new ModelInfo(name, created, engine.MaxContextTokens))];
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ModelInfo>> ListModelsAsync(CancellationToken cancellationToken) => new(_models);

    /// <inheritdoc/>
    public async IAsyncEnumerable<GenerationEvent> GenerateAsync(
        GenerationRequest request,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        CheckModel(request.Model);
        using CancellationTokenSource? deadline = StartDeadline(request, cancellationToken);
        EngineRequest engineRequest = _translator.Translate(request);
        await using IAsyncEnumerator<EngineDelta> deltas =
            _engine.StreamAsync(engineRequest, deadline?.Token ?? cancellationToken).GetAsyncEnumerator(CancellationToken.None);
        var progress = new GenerationProgress(_tokenTexts, _retryEstimate, request);
        while (true)
        {
            try
            {
                if (!await deltas.MoveNextAsync())
                {
                    break;
                }
            }
            catch (OperationCanceledException) when (deadline is { IsCancellationRequested: true } && !cancellationToken.IsCancellationRequested)
            {
                throw new GenerationException(
                    GenerationErrorKind.Unavailable,
                    $"The request was not done at its deadline of {request.Deadline:O}; ask for fewer tokens or allow more time.",
                    null,
                    "deadline_exceeded");
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw Translate(e, request);
            }

            yield return progress.Describe(deltas.Current);
        }
    }

    /// <summary>Opens a feed for requests whose events one reader takes.</summary>
    /// <param name="onNews">As <see cref="LlmEngine.OpenFeed"/> has it.</param>
    public GenerationFeed OpenFeed(Action<bool> onNews) => new(this, _engine.OpenFeed(onNews));

    internal FeedGeneration Start(GenerationRequest request, EngineFeed feed, object tag)
    {
        CheckModel(request.Model);
        try
        {
            var generation = new FeedGeneration(new GenerationProgress(_tokenTexts, _retryEstimate, request), tag);
            generation.Bind(_engine.Start(_translator.Translate(request), feed, generation));
            return generation;
        }
        catch (Exception e)
        {
            throw Translate(e, request);
        }
    }

    private GenerationException Translate(Exception e, GenerationRequest request) =>
        EngineFailures.Translate(e, request, _retryEstimate.RetryAfter(_engine.Statistics.WaitingSequences));

    private static CancellationTokenSource? StartDeadline(GenerationRequest request, CancellationToken cancellationToken)
    {
        if (request.Deadline is not { } deadline)
        {
            return null;
        }

        TimeSpan left = deadline - DateTimeOffset.UtcNow;
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // A timer cannot wait longer than 49 days.
        source.CancelAfter(left < TimeSpan.Zero ? TimeSpan.Zero : left > TimeSpan.FromDays(40) ? TimeSpan.FromDays(40) : left);
        return source;
    }

    private void CheckModel(string model)
    {
        foreach (ModelInfo known in _models)
        {
            if (known.Id == model)
            {
                return;
            }
        }

        throw new GenerationException(
            GenerationErrorKind.ModelNotFound,
            $"The model '{model}' does not exist; this server has {string.Join(", ", _models.Select(known => $"'{known.Id}'"))}.",
            "model",
            "model_not_found");
    }
}
