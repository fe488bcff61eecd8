using System.Text.Json;
using Fastgen.Engine.Sampling;
using Fastgen.Engine.Scheduling;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Templates;
using Fastgen.Engine.UnitTests.Doubles;

namespace Fastgen.Engine.UnitTests;

public sealed class LlmEngineTextTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-text-").FullName;
    private readonly Tokenizer _tokenizer = LetterTokenizer.Create();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Streamed_and_batched_text_is_the_decoded_reference()
    {
        await using LlmEngine engine = Engine();
        for (int i = 0; i < 60; i++)
        {
            EngineRequest request = new() { Text = "abc " + (i % 3) switch { 0 => "a", 1 => "é", _ => "ff" }, N = 1 + (i % 2), Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 30 } };
            (string[] texts, EngineDelta[] last) = await Stream(engine, request);
            Completion completion = await Complete(engine, request);
            for (int choice = 0; choice < request.N; choice++)
            {
                (List<int> tokens, EngineFinishReason reason) = Reference(engine, request, choice);
                Assert.Equal(Text(tokens), texts[choice]);
                Assert.Equal(reason, last[choice].FinishReason);
                Assert.Equal(texts[choice], completion.Choices[choice].Text);
                Assert.Equal(tokens, completion.Choices[choice].TokenIds);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Text_is_cut_before_the_first_stop_string_and_the_sequence_ends_there(int depth)
    {
        await using LlmEngine engine = Engine(depth);
        int stopped = 0;
        for (int i = 0; i < 150; i++)
        {
            EngineRequest request = new()
            {
                Text = "ab",
                N = 2,
                Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 60, IgnoreEos = true, StopStrings = ["ab", "c d", "fé", "eee"] },
            };
            (string[] texts, EngineDelta[] last) = await Stream(engine, request);
            Completion completion = await Complete(engine, request);
            for (int choice = 0; choice < 2; choice++)
            {
                List<int> tokens = Reference(engine, request, choice).Tokens;
                int needed = 1;
                string text = Text(tokens);
                for (; needed <= tokens.Count; needed++)
                {
                    string soFar = Text(tokens[..needed]);
                    string? stop = request.Sampling.StopStrings.FirstOrDefault(stop => soFar.Contains(stop, StringComparison.Ordinal));
                    if (stop is not null)
                    {
                        text = soFar[..soFar.IndexOf(stop, StringComparison.Ordinal)];
                        break;
                    }
                }

                bool stops = needed <= tokens.Count;
                stopped += stops ? 1 : 0;
                Assert.Equal(text, texts[choice]);
                Assert.Equal(text, completion.Choices[choice].Text);
                Assert.Equal(stops ? EngineFinishReason.Stop : EngineFinishReason.Length, last[choice].FinishReason);
                Assert.Equal(Math.Min(needed, tokens.Count), last[choice].CompletionTokens);
                Assert.Equal(Math.Min(needed, tokens.Count), completion.Choices[choice].TokenIds.Count);
            }
        }

        Assert.InRange(stopped, 50, 299);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        while (engine.Statistics.TotalBlocks != engine.Statistics.FreeBlocks)
        {
            await Task.Delay(5, limit.Token);
        }
    }

    [Fact]
    public async Task Stop_strings_wait_for_the_minimum()
    {
        await using LlmEngine engine = Engine();
        for (int i = 0; i < 40; i++)
        {
            EngineRequest request = new()
            {
                Text = "ab",
                Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 60, IgnoreEos = true, StopStrings = ["a", "b", "c"], MinTokens = 20 },
            };
            (string[] texts, EngineDelta[] last) = await Stream(engine, request);
            List<int> tokens = Reference(engine, request, 0).Tokens;
            int end = tokens.FindIndex(20, token => Text([token]) is "a" or "b" or "c");
            Assert.Equal(end + 1, last[0].CompletionTokens);
            Assert.Equal(Text(tokens[..end]), texts[0]);
        }
    }

    [Fact]
    public async Task Deltas_hold_all_that_is_certain_and_no_more()
    {
        string[] stops = ["bd", "cccc", "dab"];
        // The engine waits for the reader, who so sees each token by itself.
        using var read = new SemaphoreSlim(1);
        await using LlmEngine engine = Engine(onSubmit: _ => read.Wait(100));
        int deltas = 0;
        int held = 0;
        for (int i = 0; i < 10; i++)
        {
            string text = "";
            var tokens = new List<int>();
            var request = new EngineRequest { Text = "a", Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 50, IgnoreEos = true, StopStrings = stops } };
            await foreach (EngineDelta delta in engine.StreamAsync(request))
            {
                deltas++;
                read.Release();
                text += delta.Text;
                tokens.AddRange(delta.TokenIds);
                if (delta.FinishReason is null)
                {
                    // Whole characters so far, less the longest end that a stop string begins with.
                    var detokenizer = new IncrementalDetokenizer(_tokenizer, true, []);
                    string whole = string.Concat(tokens.Select(detokenizer.Append));
                    int keep = 3;
                    while (keep > 0 && !stops.Any(stop => keep < stop.Length && whole.EndsWith(stop[..keep], StringComparison.Ordinal)))
                    {
                        keep--;
                    }

                    held += keep > 0 ? 1 : 0;
                    Assert.Equal(whole[..^keep], text);
                }
            }
        }

        Assert.True(deltas > 100, $"only {deltas} deltas");
        Assert.True(held > 10, $"only {held} times something was held");
    }

    [Fact]
    public async Task A_chat_is_rendered_and_encoded_without_adding_special_tokens()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "chat_template.jinja"),
            "{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}f{% endif %}{{ mood }}");
        await File.WriteAllTextAsync(Path.Combine(_folder, "tokenizer_config.json"), """{"bos_token": "<begin>", "eos_token": "<end>"}""");
        await using LlmEngine engine = Engine();
        EngineRequest chat = EngineRequest.Chat(("user", "ab"), ("assistant", "c"));
        Assert.Equal([LetterTokenizer.BeginId, .. _tokenizer.Encode("ab c f", false)], engine.EncodePrompt(chat));
        Assert.Equal([LetterTokenizer.BeginId, .. _tokenizer.Encode("ab", false)], engine.EncodePrompt(EngineRequest.FromText("ab")));
        EngineRequest varied = chat with { TemplateArguments = JsonSerializer.SerializeToElement(new { mood = "ed", add_generation_prompt = false }) };
        Assert.Equal([LetterTokenizer.BeginId, .. _tokenizer.Encode("ab c ed", false)], engine.EncodePrompt(varied));
        (string[] texts, _) = await Stream(engine, chat with { Sampling = new SamplingParameters { MaxTokens = 5, Seed = 2 } });
        Assert.Single(texts);
        Assert.Throws<EngineRequestException>(() => engine.EncodePrompt(new EngineRequest { Messages = JsonSerializer.SerializeToElement("a") }));
    }

    [Fact]
    public async Task A_template_that_refuses_is_the_requests_fault()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "chat_template.jinja"), "{{ raise_exception('roles must alternate') }}");
        await using LlmEngine engine = Engine();
        EngineRequestException refused = Assert.Throws<EngineRequestException>(() => engine.EncodePrompt(EngineRequest.Chat(("user", "a"))));
        Assert.Contains("roles must alternate", refused.Message, StringComparison.Ordinal);
        Assert.Equal("messages", refused.Parameter);
    }

    [Fact]
    public async Task Without_tokenizer_and_template_the_engine_says_what_is_missing()
    {
        await using LlmEngine bare = LlmEngine.Create(new KvDoubleRunner(4, 60, 50, 1), 80, new GenerationDefaults(), new EngineOptions());
        Assert.Contains("tokenizer.json", Refusal(new EngineRequest { Text = "a" }), StringComparison.Ordinal);
        Assert.Contains("chat template", Refusal(EngineRequest.Chat(("user", "a"))), StringComparison.Ordinal);
        EngineRequestException stops = await Assert.ThrowsAsync<EngineRequestException>(
            () => Stream(bare, new EngineRequest { TokenIds = [1], Sampling = new SamplingParameters { StopStrings = ["a"] } }));
        Assert.Contains("StopTokenIds", stops.Message, StringComparison.Ordinal);

        string Refusal(EngineRequest request) => Assert.Throws<EngineRequestException>(() => bare.EncodePrompt(request)).Message;
    }

    private LlmEngine Engine(int depth = 1, Action<Fastgen.Engine.Batching.Batch>? onSubmit = null) => LlmEngine.Create(
        new KvDoubleRunner(4, 60, LetterTokenizer.VocabularySize, depth) { OnSubmit = onSubmit },
        120,
        new GenerationDefaults { EndOfSequenceIds = [LetterTokenizer.EndId] },
        new EngineOptions { MaxStepTokens = 16 },
        _tokenizer,
        ChatTemplateSet.LoadFolder(_folder));

    private string Text(List<int> tokens) => _tokenizer.Decode([.. tokens.Where(token => token != LetterTokenizer.EndId)], skipSpecialTokens: true);

    private static (List<int> Tokens, EngineFinishReason Reason) Reference(LlmEngine engine, EngineRequest request, int choice) => HashModel.Reference(
        engine.EncodePrompt(request),
        ScheduledRequest.ChoiceSeed(request.Sampling.Seed!.Value, choice),
        request.Sampling,
        [LetterTokenizer.EndId],
        engine.MaxContextTokens,
        LetterTokenizer.VocabularySize);

    private static async Task<(string[] Texts, EngineDelta[] Last)> Stream(LlmEngine engine, EngineRequest request)
    {
        var texts = new string[request.N];
        Array.Fill(texts, "");
        var last = new EngineDelta[request.N];
        await foreach (EngineDelta delta in engine.StreamAsync(request))
        {
            texts[delta.Index] += delta.Text;
            last[delta.Index] = delta;
        }

        return (texts, last);
    }

    private static async Task<Completion> Complete(LlmEngine engine, EngineRequest request)
    {
        await foreach (Completion completion in engine.GenerateAsync([request]))
        {
            Assert.Null(completion.Error);
            return completion;
        }

        throw new InvalidOperationException("nothing came back");
    }
}
