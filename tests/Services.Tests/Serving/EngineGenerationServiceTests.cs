using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Engine;
using Fastgen.Services.Tests.Tools;
using Fastgen.Serving;

namespace Fastgen.Services.Tests.Serving;

public sealed class EngineGenerationServiceTests : IAsyncLifetime
{
    private readonly TinyChatModel _model = new();
    private LlmEngine? _engine;

    private LlmEngine Engine => _engine!;

    public async ValueTask InitializeAsync() => _engine = await LlmEngine.LoadAsync(
        _model.Folder,
        new EngineOptions { Device = "cpu", Threads = 1, KvCacheBytes = 4 << 20, MaxRunningSequences = 4, MaxWaitingRequests = 2 });

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        _model.Dispose();
    }

    private static GenerationRequest Text(string prompt, GenerationSampling? sampling = null, int choices = 1) => new()
    {
        Id = "r",
        Model = "tiny-chat",
        PromptText = prompt,
        Choices = choices,
        Sampling = sampling ?? new GenerationSampling { MaxTokens = 10, IgnoreEos = true },
    };

    private static async Task<List<GenerationEvent>> CollectAsync(IGenerationService service, GenerationRequest request, CancellationToken cancellationToken = default)
    {
        var all = new List<GenerationEvent>();
        await foreach (GenerationEvent news in service.GenerateAsync(request, cancellationToken))
        {
            all.Add(news);
        }

        return all;
    }

    private static async Task<GenerationException> RefusedAsync(IGenerationService service, GenerationRequest request) =>
        await Assert.ThrowsAsync<GenerationException>(() => CollectAsync(service, request));

    private Task AssertAllFreeAsync() => Eventually.BeTrueAsync(() => Engine.Statistics.TotalBlocks == Engine.Statistics.FreeBlocks);

    [Fact]
    public async Task Every_choice_ends_once_and_the_last_event_has_the_usage()
    {
        var service = new EngineGenerationService(Engine);
        List<GenerationEvent> events = await CollectAsync(service, Text("abcd", choices: 3));

        Assert.All(events.SkipLast(1), news => Assert.Null(news.Usage));
        Assert.Equal(new GenerationUsage(4, 30, 0), events[^1].Usage);
        for (int choice = 0; choice < 3; choice++)
        {
            GenerationEvent[] own = [.. events.Where(news => news.Choice == choice)];
            Assert.Equal(10, own.Sum(news => news.TokenIds.Count));
            Assert.Equal(FinishReason.Length, own[^1].FinishReason);
            Assert.All(own.SkipLast(1), news => Assert.Null(news.FinishReason));
        }
    }

    [Fact]
    public async Task Logprobs_carry_the_bytes_of_their_tokens()
    {
        var service = new EngineGenerationService(Engine);
        var sampling = new GenerationSampling
        {
            MaxTokens = 3,
            Temperature = 0,
            Logprobs = 2,
            LogitBias = new Dictionary<int, float> { [TinyChatModel.TokenOf('\u00e2')] = 100 },
        };
        List<GenerationEvent> events = await CollectAsync(service, Text("abcd", sampling));

        Contracts.TokenLogprob[] logprobs = [.. events.SelectMany(news => news.Logprobs ?? [])];
        Assert.Equal(3, logprobs.Length);
        // Byte E2 alone is no character.
        Assert.All(logprobs, token => Assert.Equal([0xE2], token.Bytes));
        Assert.All(logprobs, token => Assert.Equal("\ufffd", token.Token));
        Assert.All(logprobs, token => Assert.Equal(2, token.Top!.Count));
        Assert.Equal(events.SelectMany(news => news.TokenIds), logprobs.Select(token => token.TokenId));
    }

    [Fact]
    public async Task What_a_request_leaves_open_comes_from_the_model()
    {
        await File.WriteAllTextAsync(
            Path.Combine(_model.Folder, "generation_config.json"),
            """{"eos_token_id":2,"do_sample":true,"temperature":0.25,"top_p":0.5,"top_k":7,"repetition_penalty":1.5}""");
        await using LlmEngine engine = await LlmEngine.LoadAsync(_model.Folder, new EngineOptions { Device = "cpu", Threads = 1, KvCacheBytes = 1 << 20 });

        EngineRequest open = new RequestTranslator(engine.Defaults, new EngineServiceOptions()).Translate(Text("a", new GenerationSampling()));
        Assert.Equal((0.25f, 0.5f, 7, 1.5f), (open.Sampling.Temperature, open.Sampling.TopP, open.Sampling.TopK, open.Sampling.RepetitionPenalty));
        Assert.Null(open.Sampling.MaxTokens);

        var options = new EngineServiceOptions { DefaultTemperature = 0.75f, MaxTokens = 9 };
        var asked = new GenerationSampling { TopK = 0, TopP = 1, MaxTokens = 20 };
        EngineRequest overridden = new RequestTranslator(engine.Defaults, options).Translate(Text("a", asked));
        Assert.Equal((0.75f, 1f, 0, 9), (overridden.Sampling.Temperature, overridden.Sampling.TopP, overridden.Sampling.TopK, overridden.Sampling.MaxTokens));
    }

    [Fact]
    public async Task Refusals_speak_of_the_fields_of_the_API()
    {
        var service = new EngineGenerationService(Engine, new EngineServiceOptions { ModelNames = ["tiny-chat", "alias"] });
        JsonElement messages = JsonDocument.Parse("""[{"role":"assistant","content":"x"}]""").RootElement;

        GenerationException unknown = await RefusedAsync(service, Text("a") with { Model = "other" });
        Assert.Equal((GenerationErrorKind.ModelNotFound, "model", "model_not_found"), (unknown.Kind, unknown.Parameter, unknown.Code));
        Assert.Contains("'alias'", unknown.Message, StringComparison.Ordinal);
        GenerationException tooLong = await RefusedAsync(service, Text(new string('x', 2000)));
        Assert.Equal((GenerationErrorKind.InvalidRequest, "prompt", "context_length_exceeded"), (tooLong.Kind, tooLong.Parameter, tooLong.Code));
        GenerationException bias = await RefusedAsync(service, Text("a", new GenerationSampling { LogitBias = new Dictionary<int, float> { [9999] = 1 } }));
        Assert.Equal((GenerationErrorKind.InvalidRequest, "logit_bias"), (bias.Kind, bias.Parameter));
        GenerationException template = await RefusedAsync(service, Text("a") with { PromptText = null, Messages = messages });
        Assert.Equal((GenerationErrorKind.InvalidRequest, "messages"), (template.Kind, template.Parameter));
        GenerationException choices = await RefusedAsync(service, Text("a", choices: 100));
        Assert.Equal((GenerationErrorKind.InvalidRequest, "n"), (choices.Kind, choices.Parameter));
        await AssertAllFreeAsync();
    }

    [Fact]
    public async Task A_full_queue_is_told_with_a_time_to_come_back()
    {
        var service = new EngineGenerationService(Engine);
        using var stop = new CancellationTokenSource();
        var endless = new GenerationSampling { IgnoreEos = true };
        Task[] tasks = [.. Enumerable.Range(0, 200).Select(_ => CollectAsync(service, Text("go", endless), stop.Token))];
        // Some may be done before others are refused.
        await Eventually.BeTrueAsync(() => tasks.Any(task => task.IsFaulted));
        var refused = Assert.IsType<GenerationException>(tasks.First(task => task.IsFaulted).Exception!.InnerException);

        Assert.Equal(GenerationErrorKind.Overloaded, refused.Kind);
        Assert.InRange(refused.RetryAfter!.Value.TotalSeconds, 1, 120);
        await stop.CancelAsync();
        await Task.WhenAll(tasks.Select(task => task.ContinueWith(_ => { }, TaskScheduler.Default)));
        await AssertAllFreeAsync();
    }

    [Fact]
    public async Task A_deadline_ends_the_request_and_frees_its_blocks()
    {
        // Far more tokens than come before anybody looks at the clock.
        using var endless = new TinyChatModel(endless: true);
        await using LlmEngine engine = await LlmEngine.LoadAsync(endless.Folder, new EngineOptions { Device = "cpu", Threads = 1, KvCacheBytes = 200 << 20 });
        var service = new EngineGenerationService(engine);
        var sampling = new GenerationSampling { IgnoreEos = true };
        GenerationException passed = await RefusedAsync(service, Text("go", sampling) with { Deadline = DateTimeOffset.UtcNow.AddMilliseconds(5) });

        Assert.Equal((GenerationErrorKind.Unavailable, "deadline_exceeded"), (passed.Kind, passed.Code));
        await Eventually.BeTrueAsync(() => engine.Statistics.TotalBlocks == engine.Statistics.FreeBlocks);
    }

    [Fact]
    public async Task Leaving_early_frees_the_blocks()
    {
        var service = new EngineGenerationService(Engine);
        await foreach (GenerationEvent news in service.GenerateAsync(Text("go", new GenerationSampling { IgnoreEos = true }, choices: 2), CancellationToken.None))
        {
            break;
        }

        await AssertAllFreeAsync();
    }

    [Fact]
    public async Task A_disposed_engine_is_unavailable()
    {
        LlmEngine engine = await LlmEngine.LoadAsync(_model.Folder, new EngineOptions { Device = "cpu", Threads = 1, KvCacheBytes = 1 << 20 });
        var service = new EngineGenerationService(engine);
        await engine.DisposeAsync();

        Assert.Equal(GenerationErrorKind.Unavailable, (await RefusedAsync(service, Text("a"))).Kind);
    }
}
