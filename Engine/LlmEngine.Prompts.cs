using System.Globalization;
using System.Text.Json;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine;

/// <content>From what a caller gives to token ids, and what is needed to go back to text.</content>
public sealed partial class LlmEngine
{
    // Enough for a character that the prompt's end cut into the four bytes UTF-8 may have, and for the token before it.
    private const int PromptTailTokens = 8;

    /// <summary>The prompt's token ids as the model will see them.</summary>
    /// <exception cref="EngineRequestException">The request has not exactly one prompt, the engine cannot encode it, or it is too long.</exception>
    public int[] EncodePrompt(EngineRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        int prompts = (request.Text is null ? 0 : 1) + (request.TokenIds is null ? 0 : 1) + (request.Messages is null ? 0 : 1);
        if (prompts != 1)
        {
            throw WrongPrompt($"The request has {prompts} prompts but must have one; set exactly one of Text, TokenIds and Messages.");
        }

        int[] prompt = request switch
        {
            { TokenIds: { } ids } => [.. ids],
            { Text: { } text } => Encode(text, addSpecialTokens: true),
            _ => Encode(RenderChat(request), addSpecialTokens: false),
        };
        CheckPrompt(prompt);
        return prompt;
    }

    private int[] Encode(string text, bool addSpecialTokens)
    {
        if (Tokenizer is null)
        {
            throw WrongPrompt("The model has no tokenizer.json, so it cannot read text; send TokenIds, or add the file to its folder.");
        }

        try
        {
            return Tokenizer.Encode(text, addSpecialTokens);
        }
        catch (TokenizerFormatException exception)
        {
            throw new EngineRequestException($"The prompt cannot be encoded: {exception.Message}", exception) { Parameter = "prompt" };
        }
    }

    private string RenderChat(EngineRequest request)
    {
        JsonElement messages = request.Messages!.Value;
        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            throw WrongMessages("Messages must be an array with at least one message; send objects with role and content.");
        }

        if (ChatTemplates is null)
        {
            throw WrongMessages("The model has no chat template, so it cannot read messages; send Text, or add chat_template.jinja to its folder.");
        }

        bool hasTools = request.Tools is { ValueKind: JsonValueKind.Array } tools && tools.GetArrayLength() > 0;
        Dictionary<string, JsonElement> variables = TemplateVariables(request.TemplateArguments);
        // Callers of transformers and vLLM set these two beside the template's own variables.
        bool continueFinal = TakeFlag(variables, "continue_final_message", false);
        bool addGenerationPrompt = TakeFlag(variables, "add_generation_prompt", !continueFinal);
        try
        {
            return ChatTemplates.Select(null, hasTools).Render(new ChatTemplateInput
            {
                Messages = messages,
                AddGenerationPrompt = addGenerationPrompt,
                ContinueFinalMessage = continueFinal,
                Tools = hasTools ? request.Tools : null,
                BosToken = ChatTemplates.BosToken,
                EosToken = ChatTemplates.EosToken,
                Extra = variables,
            });
        }
        catch (ChatTemplateException exception)
        {
            throw new EngineRequestException($"The messages do not fit the model's chat template: {exception.Message}", exception) { Parameter = "messages" };
        }
    }

    private Dictionary<string, JsonElement> TemplateVariables(JsonElement? arguments)
    {
        var variables = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach ((string key, string token) in ChatTemplates!.SpecialTokens)
        {
            if (key is not ("bos_token" or "eos_token"))
            {
                variables[key] = JsonSerializer.SerializeToElement(token);
            }
        }

        if (arguments is not { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } given)
        {
            return variables;
        }

        if (given.ValueKind != JsonValueKind.Object)
        {
            throw new EngineRequestException($"TemplateArguments is a JSON {given.ValueKind} but must be an object of variables for the chat template; send an object.") { Parameter = nameof(EngineRequest.TemplateArguments) };
        }

        foreach (JsonProperty property in given.EnumerateObject())
        {
            variables[property.Name] = property.Value;
        }

        return variables;
    }

    private static bool TakeFlag(Dictionary<string, JsonElement> variables, string name, bool otherwise)
    {
        if (!variables.Remove(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return otherwise;
        }

        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw new EngineRequestException($"{name} is {value.GetRawText()} but must be true or false; correct it in TemplateArguments.") { Parameter = nameof(EngineRequest.TemplateArguments) };
    }

    private void CheckPrompt(int[] prompt)
    {
        if (prompt.Length == 0)
        {
            throw WrongPrompt("The prompt has no tokens but the model needs at least one; send some text.");
        }

        if (prompt.Length >= MaxContextTokens)
        {
            string message = string.Create(
                CultureInfo.InvariantCulture,
                $"The prompt has {prompt.Length:N0} tokens but prompt and output together may have {MaxContextTokens:N0}; shorten the prompt, or raise MaxContextTokens or KvCacheBytes where the model allows it.");
            throw new EngineRequestException(message) { Parameter = "prompt", Code = "context_length_exceeded" };
        }

        foreach (int token in prompt)
        {
            if ((uint)token >= (uint)_vocabularySize)
            {
                throw WrongPrompt($"The prompt has token {token} but the model's vocabulary has the ids 0 to {_vocabularySize - 1}; take one of those.");
            }
        }
    }

    /// <summary>One per choice; null when the engine has no tokenizer.</summary>
    private ChoiceText[]? NewTexts(EngineRequest request, int[] prompt, int[] stopTokenIds)
    {
        if (Tokenizer is null)
        {
            return request.Sampling.StopStrings.Count == 0
                ? null
                : throw new EngineRequestException("The request has stop strings but the model has no tokenizer.json, so no text to find them in; use StopTokenIds.") { Parameter = "StopStrings" };
        }

        // A chat answer is a text of its own; everything else continues its prompt.
        ReadOnlySpan<int> tail = request.Messages is null ? prompt.AsSpan(Math.Max(0, prompt.Length - PromptTailTokens)) : [];
        var texts = new ChoiceText[request.N];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i] = new ChoiceText(Tokenizer, request.Sampling.SkipSpecialTokens, tail, request.Sampling.StopStrings, stopTokenIds, request.Sampling.MinTokens);
        }

        return texts;
    }

    private static EngineRequestException WrongPrompt(string message) => new(message) { Parameter = "prompt" };

    private static EngineRequestException WrongMessages(string message) => new(message) { Parameter = "messages" };
}
