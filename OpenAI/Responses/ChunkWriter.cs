using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.OpenAI.Requests;

namespace Fastgen.OpenAI.Responses;

/// <summary>Writes the server-sent events of one stream. What is the same in every chunk is formatted once.</summary>
internal sealed class ChunkWriter
{
    private readonly ApiKind _kind;
    private readonly bool _includeUsage;
    private readonly byte[] _head;
    private readonly byte[] _beforeChoices;
    private readonly byte[] _textTail;
    private readonly byte[] _tail;
    private readonly int[]? _textOffsets;

    public ChunkWriter(ApiRequest request)
    {
        _kind = request.Kind;
        _includeUsage = request.IncludeUsage;
        string kind = request.Kind == ApiKind.Chat ? "chat.completion.chunk" : "text_completion";
        string model = JsonEncodedText.Encode(request.Model, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).Value;
        string start = $$"""data: {"id":"{{request.Id}}","object":"{{kind}}","created":{{request.CreatedUnixSeconds}},"model":"{{model}}","choices":[""";
        _beforeChoices = Encoding.UTF8.GetBytes(start);
        _head = Encoding.UTF8.GetBytes(start + """{"index":""");
        // With include_usage OpenAI puts a null into every chunk but the last.
        _tail = Encoding.UTF8.GetBytes((request.IncludeUsage ? """}],"usage":null}""" : "}]}") + "\n\n");
        string afterText = request.Kind == ApiKind.Chat ? "\"}" : "\"";
        _textTail = [.. Encoding.UTF8.GetBytes(afterText + ""","logprobs":null,"finish_reason":null"""), .. _tail];
        _textOffsets = request is { Kind: ApiKind.Completion, Logprobs: true } ? new int[request.TotalChoices] : null;
    }

    /// <summary>What opens a choice: the role in a chat, the echoed prompt in a completion.</summary>
    public void WriteStart(IBufferWriter<byte> target, int choice, string? echo)
    {
        if (_kind == ApiKind.Completion && string.IsNullOrEmpty(echo))
        {
            return;
        }

        var output = new Utf8Output(target);
        output.Raw(_head);
        output.Number(choice);
        if (_kind == ApiKind.Chat)
        {
            output.Raw(""","delta":{"role":"assistant","content":"""u8);
            output.Raw("\""u8);
        }
        else
        {
            output.Raw(""","text":"""u8);
            output.Raw("\""u8);
            output.Text(echo);
        }

        output.Raw(_textTail);
        output.Commit();
    }

    /// <summary>News of a choice; writes nothing when there is nothing to tell yet.</summary>
    public void WriteDelta(IBufferWriter<byte> target, GenerationEvent delta)
    {
        IReadOnlyList<TokenLogprob>? logprobs = delta.Logprobs is { Count: > 0 } given ? given : null;
        bool end = delta.FinishReason is not null;
        if (delta.Text.Length == 0 && logprobs is null && !end)
        {
            return;
        }

        var output = new Utf8Output(target);
        output.Raw(_head);
        output.Number(delta.Choice);
        if (_kind == ApiKind.Completion)
        {
            output.Raw(",\"text\":\""u8);
            output.Text(delta.Text);
        }
        else if (delta.Text.Length > 0 || logprobs is not null)
        {
            output.Raw(",\"delta\":{\"content\":\""u8);
            output.Text(delta.Text);
        }
        else
        {
            output.Raw(",\"delta\":{},\"logprobs\":null,\"finish_reason\":\""u8);
            FinishNow(ref output, delta);
            return;
        }

        if (!end && logprobs is null)
        {
            output.Raw(_textTail);
            output.Commit();
            return;
        }

        output.Raw(_kind == ApiKind.Chat ? "\"}"u8 : "\""u8);
        output.Raw(",\"logprobs\":"u8);
        WriteLogprobs(ref output, delta.Choice, logprobs);
        output.Raw(",\"finish_reason\":"u8);
        if (!end)
        {
            output.Raw("null"u8);
            output.Raw(_tail);
            output.Commit();
            return;
        }

        output.Raw("\""u8);
        FinishNow(ref output, delta);
    }

    /// <summary>The chunk with no choices that <c>include_usage</c> asks for.</summary>
    public void WriteUsage(IBufferWriter<byte> target, GenerationUsage usage)
    {
        if (!_includeUsage)
        {
            return;
        }

        var output = new Utf8Output(target);
        output.Raw(_beforeChoices);
        output.Raw("],\"usage\":"u8);
        UsageJson.Write(ref output, usage);
        output.Raw("}\n\n"u8);
        output.Commit();
    }

    public static void WriteError(IBufferWriter<byte> target, ApiException error)
    {
        var output = new Utf8Output(target);
        output.Raw("data: "u8);
        output.Raw(ErrorBody.Format(error).Span);
        output.Raw("\n\n"u8);
        output.Commit();
    }

    public static void WriteDone(IBufferWriter<byte> target)
    {
        var output = new Utf8Output(target);
        output.Raw("data: [DONE]\n\n"u8);
        output.Commit();
    }

    private void FinishNow(ref Utf8Output output, GenerationEvent delta)
    {
        output.Raw(delta.FinishReason == FinishReason.Length ? "length\""u8 : "stop\""u8);
        output.Raw(_tail);
        output.Commit();
    }

    private void WriteLogprobs(ref Utf8Output output, int choice, IReadOnlyList<TokenLogprob>? logprobs)
    {
        if (logprobs is null)
        {
            output.Raw("null"u8);
        }
        else if (_textOffsets is null)
        {
            output.Raw("{\"content\":["u8);
            LogprobsJson.WriteChat(ref output, logprobs, 0);
            output.Raw("],\"refusal\":null}"u8);
        }
        else
        {
            LogprobsJson.WriteLegacy(ref output, logprobs, ref _textOffsets[choice]);
        }
    }
}
