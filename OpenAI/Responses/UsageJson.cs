using Fastgen.Contracts;

namespace Fastgen.OpenAI.Responses;

/// <summary>The <c>usage</c> object.</summary>
internal static class UsageJson
{
    public static void Write(ref Utf8Output output, GenerationUsage usage)
    {
        output.Raw("{\"prompt_tokens\":"u8);
        output.Number(usage.PromptTokens);
        output.Raw(",\"completion_tokens\":"u8);
        output.Number(usage.CompletionTokens);
        output.Raw(",\"total_tokens\":"u8);
        output.Number((long)usage.PromptTokens + usage.CompletionTokens);
        output.Raw(",\"prompt_tokens_details\":{\"cached_tokens\":"u8);
        output.Number(usage.CachedTokens);
        output.Raw("}}"u8);
    }
}
