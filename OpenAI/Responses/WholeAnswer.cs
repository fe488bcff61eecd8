using System.Buffers;
using System.Text;
using Fastgen.Contracts;
using Fastgen.OpenAI.Requests;
using Microsoft.AspNetCore.Http;

namespace Fastgen.OpenAI.Responses;

/// <summary>Answers with one JSON object when everything is generated.</summary>
internal static class WholeAnswer
{
    private sealed class Choice
    {
        public StringBuilder Text { get; } = new();

        public List<TokenLogprob>? Logprobs { get; set; }

        public FinishReason? FinishReason { get; set; }
    }

    public static async Task WriteAsync(HttpContext context, IGenerationService service, ApiRequest request, long startTimestamp)
    {
        var choices = new Choice[request.TotalChoices];
        for (int i = 0; i < choices.Length; i++)
        {
            choices[i] = new Choice { Logprobs = request.Logprobs ? [] : null };
            choices[i].Text.Append(request.Echo?[i / request.Choices]);
        }

        GenerationUsage? usage = null;
        await foreach (GenerationEvent news in MergedGeneration.Start(service, request.Generations, context.RequestAborted))
        {
            GenerationFailure.ThrowIfFailed(news);
            Choice choice = choices[news.Choice];
            choice.Text.Append(news.Text);
            choice.Logprobs?.AddRange(news.Logprobs ?? []);
            choice.FinishReason = news.FinishReason ?? choice.FinishReason;
            usage = news.Usage ?? usage;
        }

        if (usage is null || Array.Exists(choices, choice => choice.FinishReason is null))
        {
            throw new InvalidOperationException($"Generation {request.Id} ended without a finish reason for every choice or without usage.");
        }

        HttpResponse response = context.Response;
        var buffer = new ArrayBufferWriter<byte>(1024);
        Format(buffer, request, choices, usage);
        response.ContentType = "application/json";
        response.ContentLength = buffer.WrittenCount;
        ProcessingTime.Write(response, startTimestamp);
        await response.Body.WriteAsync(buffer.WrittenMemory, context.RequestAborted);
    }

    private static void Format(ArrayBufferWriter<byte> target, ApiRequest request, Choice[] choices, GenerationUsage usage)
    {
        bool chat = request.Kind == ApiKind.Chat;
        var output = new Utf8Output(target);
        output.Raw("{\"id\":\""u8);
        output.Text(request.Id);
        output.Raw(chat ? "\",\"object\":\"chat.completion\",\"created\":"u8 : "\",\"object\":\"text_completion\",\"created\":"u8);
        output.Number(request.CreatedUnixSeconds);
        output.Raw(",\"model\":\""u8);
        output.Text(request.Model);
        output.Raw("\",\"choices\":["u8);
        for (int i = 0; i < choices.Length; i++)
        {
            output.Raw(i == 0 ? "{\"index\":"u8 : ",{\"index\":"u8);
            output.Number(i);
            output.Raw(chat ? ",\"message\":{\"role\":\"assistant\",\"content\":\""u8 : ",\"text\":\""u8);
            foreach (ReadOnlyMemory<char> part in choices[i].Text.GetChunks())
            {
                output.Text(part.Span);
            }

            output.Raw(chat ? "\",\"refusal\":null},\"logprobs\":"u8 : "\",\"logprobs\":"u8);
            WriteLogprobs(ref output, choices[i].Logprobs, chat);
            output.Raw(choices[i].FinishReason == FinishReason.Length ? ",\"finish_reason\":\"length\"}"u8 : ",\"finish_reason\":\"stop\"}"u8);
        }

        output.Raw("],\"usage\":"u8);
        UsageJson.Write(ref output, usage);
        output.Raw("}"u8);
        output.Commit();
    }

    private static void WriteLogprobs(ref Utf8Output output, List<TokenLogprob>? logprobs, bool chat)
    {
        int textOffset = 0;
        if (logprobs is null)
        {
            output.Raw("null"u8);
        }
        else if (chat)
        {
            output.Raw("{\"content\":["u8);
            LogprobsJson.WriteChat(ref output, logprobs, 0);
            output.Raw("],\"refusal\":null}"u8);
        }
        else
        {
            LogprobsJson.WriteLegacy(ref output, logprobs, ref textOffset);
        }
    }
}
