using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.Services.Tests.OpenAI;

/// <summary>Generates the last message or the prompt again, a word per token; some prompts name a failure instead.</summary>
internal sealed class EchoGenerationService : IGenerationService
{
    public const string Model = "acme/echo";

    private int _active;
    private int _cancelled;

    public ConcurrentQueue<GenerationRequest> Requests { get; } = new();

    public IReadOnlyList<ModelInfo> Models { get; set; } = [new ModelInfo(Model, 1_700_000_000, 4096)];

    /// <summary>Requests that still hold something.</summary>
    public int Active => Volatile.Read(ref _active);

    public int Cancelled => Volatile.Read(ref _cancelled);

    public ValueTask<IReadOnlyList<ModelInfo>> ListModelsAsync(CancellationToken cancellationToken) => new(Models);

    public async IAsyncEnumerable<GenerationEvent> GenerateAsync(
        GenerationRequest request,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Requests.Enqueue(request);
        string text = PromptOf(request);
        FailIfAsked(request, text);
        Interlocked.Increment(ref _active);
        try
        {
            string[] words = Split(text);
            int promptTokens = words.Length;
            int length = Math.Min(words.Length, request.Sampling.MaxTokens ?? int.MaxValue);
            var finish = length < words.Length ? FinishReason.Length : FinishReason.Stop;
            bool slow = text.StartsWith("slow", StringComparison.Ordinal);
            for (int i = 0; slow || i < length; i++)
            {
                if (slow)
                {
                    await Task.Delay(5, cancellationToken);
                }

                if (i == 2 && text.StartsWith("break ", StringComparison.Ordinal))
                {
                    yield return new GenerationEvent { FinishReason = FinishReason.Error, Error = "the echo broke" };
                    yield break;
                }

                if (i == 2 && text.StartsWith("throw ", StringComparison.Ordinal))
                {
                    throw new InvalidOperationException("a secret of the server");
                }

                for (int choice = 0; choice < request.Choices; choice++)
                {
                    yield return new GenerationEvent
                    {
                        Choice = choice,
                        Text = words[i % words.Length],
                        TokenIds = [i],
                        Logprobs = request.Sampling.Logprobs is { } top ? [Logprob(i, words[i], top)] : null,
                    };
                }
            }

            for (int choice = 0; choice < request.Choices; choice++)
            {
                bool last = choice == request.Choices - 1;
                yield return new GenerationEvent
                {
                    Choice = choice,
                    FinishReason = finish,
                    Usage = last ? new GenerationUsage(promptTokens, length * request.Choices, 1) : null,
                };
            }
        }
        finally
        {
            Interlocked.Decrement(ref _active);
            if (cancellationToken.IsCancellationRequested)
            {
                Interlocked.Increment(ref _cancelled);
            }
        }
    }

    /// <summary>Tokens keep the blank before them, as BPE has it.</summary>
    private static string[] Split(string text)
    {
        var words = new List<string>();
        int start = 0;
        for (int i = 1; i <= text.Length; i++)
        {
            if (i == text.Length || text[i] == ' ')
            {
                words.Add(text[start..i]);
                start = i;
            }
        }

        return [.. words];
    }

    private static TokenLogprob Logprob(int id, string word, int top)
    {
        // "half" stands for a token that is only the first byte of a character.
        byte[] bytes = word.Trim() == "half" ? [0xE2, 0x82] : Encoding.UTF8.GetBytes(word);
        string shown = Encoding.UTF8.GetString(bytes);
        var alternatives = new List<TokenLogprob>();
        for (int i = 0; i < top; i++)
        {
            alternatives.Add(i == 0
                ? new TokenLogprob(id, shown, bytes, -0.5f, null)
                : new TokenLogprob(1000 + i, "alt" + i, Encoding.UTF8.GetBytes("alt" + i), -i - 0.5f, null));
        }

        return new TokenLogprob(id, shown, bytes, word.Trim() == "never" ? float.NegativeInfinity : -0.5f, alternatives);
    }

    private static string PromptOf(GenerationRequest request)
    {
        if (request.Messages is { } messages)
        {
            JsonElement content = messages[messages.GetArrayLength() - 1].GetProperty("content");
            return content.GetString() ?? "";
        }

        return request.PromptText ?? string.Join(' ', request.PromptTokens!);
    }

    private void FailIfAsked(GenerationRequest request, string text)
    {
        if (!Models.Any(model => model.Id == request.Model))
        {
            throw new GenerationException(GenerationErrorKind.ModelNotFound, $"The model '{request.Model}' does not exist.");
        }

        switch (text)
        {
            case "too long":
                throw new GenerationException(
                    GenerationErrorKind.InvalidRequest, "Prompt has 9,412 tokens but the model allows 4,096; shorten it.", "messages", "context_length_exceeded");
            case "overloaded":
                throw new GenerationException(GenerationErrorKind.Overloaded, "The queue is full.") { RetryAfter = TimeSpan.FromSeconds(6.2) };
            case "unavailable":
                throw new GenerationException(GenerationErrorKind.Unavailable, "No worker is there.");
            case "internal":
                throw new GenerationException(GenerationErrorKind.Internal, "The engine is broken.");
            case "bug":
                throw new InvalidOperationException("a secret of the server");
        }
    }
}
