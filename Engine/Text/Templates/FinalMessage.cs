using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates;

/// <summary>continue_final_message: marks the end of the last message, renders, and cuts the prompt there.</summary>
internal sealed class FinalMessage
{
    private const string Mark = "CONTINUE_FINAL_MESSAGE_TAG ";
    private readonly string _text;

    private FinalMessage(Value messages, string text)
    {
        Messages = messages;
        _text = text;
    }

    /// <summary>The messages with the mark in place.</summary>
    public Value Messages { get; }

    /// <summary>Null unless the input asks for it.</summary>
    public static FinalMessage? Prepare(ChatTemplateInput input)
    {
        if (!input.ContinueFinalMessage)
        {
            return null;
        }

        if (input.AddGenerationPrompt)
        {
            throw TemplateError.Value("continue_final_message and add_generation_prompt are not compatible; use one of them");
        }

        if (JsonValues.From(input.Messages) is not ListValue { Items: [.., DictValue last] } messages || !last.TryGet(new StrValue("content"), out Value? content))
        {
            throw TemplateError.Value("continue_final_message is set but the last message has no content to continue");
        }

        (Value marked, string text) = MarkContent(content);
        return new FinalMessage(new ListValue([.. messages.Items.SkipLast(1), With(last, "content", marked)]), text);
    }

    /// <summary>The prompt up to the end of the final message, as the template spaced it.</summary>
    public string Cut(string rendered)
    {
        string mark = Mark.TrimEnd();
        int at = rendered.LastIndexOf(mark, StringComparison.Ordinal);
        if (at < 0 || !rendered.Contains(PythonText.Trim(_text), StringComparison.Ordinal))
        {
            throw TemplateError.Value("continue_final_message is set but the final message does not appear in the chat after applying the template; templates that drop or rewrite messages cannot continue one");
        }

        // Where the template kept the space after the mark it strips nothing, so nothing may be stripped here.
        string before = rendered[..at];
        return string.CompareOrdinal(rendered, at, Mark, 0, Mark.Length) == 0 ? before : PythonText.TrimEnd(before);
    }

    private static (Value Marked, string Text) MarkContent(Value content)
    {
        if (content is StrValue text)
        {
            return (new StrValue(text.Text + Mark), text.Text);
        }

        if (content is ListValue parts)
        {
            for (int i = parts.Items.Count - 1; i >= 0; i--)
            {
                if (parts.Items[i] is DictValue part && part.TryGet(new StrValue("text"), out Value? value) && value is StrValue last)
                {
                    Value[] copy = [.. parts.Items];
                    copy[i] = With(part, "text", new StrValue(last.Text + Mark));
                    return (new ListValue(copy), last.Text);
                }
            }
        }

        throw TemplateError.Value("continue_final_message is set but there is no text to continue in the final message");
    }

    private static DictValue With(DictValue source, string key, Value value)
    {
        var copy = new DictValue(source.Length ?? 0);
        foreach (KeyValuePair<Value, Value> entry in source.Entries)
        {
            copy.Set(entry.Key, entry.Value);
        }

        copy.Set(new StrValue(key), value);
        return copy;
    }
}
