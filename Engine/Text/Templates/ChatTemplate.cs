using System.Text.Json;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Syntax;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates;

/// <summary>A parsed chat template. Immutable and safe to render from many threads.</summary>
/// <remarks>
/// The language is that of Jinja2 3.1 in HuggingFace's sandbox: trim_blocks and lstrip_blocks on, loop controls,
/// <c>{% generation %}</c>, a <c>tojson</c> without HTML escaping, <c>raise_exception</c>, <c>strftime_now</c>.
/// Templates see the data passed to them and nothing else; their time, steps, depth and output are bounded.
/// </remarks>
public sealed class ChatTemplate
{
    private const int MaxSourceChars = 4 << 20;

    private readonly Body _body;
    private readonly IReadOnlyDictionary<string, BlockStatement> _blocks;

    private ChatTemplate(string source, Body body, IReadOnlyDictionary<string, BlockStatement> blocks)
    {
        Source = source;
        _body = body;
        _blocks = blocks;
    }

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>Parses a template.</summary>
    /// <exception cref="ChatTemplateException">It does not follow the language; the exception names line and reason.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.Length > MaxSourceChars)
        {
            throw new ChatTemplateException($"The chat template has {source.Length:N0} characters but at most {MaxSourceChars:N0} are read; is this file a template?");
        }

        try
        {
            (Body body, IReadOnlyDictionary<string, BlockStatement> blocks) = Parser.Parse(source);
            return new ChatTemplate(source, body, blocks);
        }
        catch (TemplateError e)
        {
            throw new ChatTemplateException(e.KindName, e.Message, e.Line, e);
        }
    }

    /// <summary>Renders the template.</summary>
    /// <exception cref="ChatTemplateException">The template raised an error, its own <c>raise_exception</c> included, or met a limit.</exception>
    public string Render(ChatTemplateInput input) => Render(input, RenderLimits.Default);

    internal string Render(ChatTemplateInput input, RenderLimits limits)
    {
        ArgumentNullException.ThrowIfNull(input);
        var budget = new RenderBudget(limits);
        RenderBudget? outer = RenderBudget.Swap(budget);
        RenderState? state = null;
        try
        {
            var continuation = FinalMessage.Prepare(input);
            state = new RenderState(Variables(input, continuation), budget, input.Now ?? DateTimeOffset.Now) { Blocks = _blocks };
            state.Root.Set("self", new TemplateReference(state));
            var output = new TextBuffer();
            _body.Execute(state, state.Root, output);
            string text = output.ToString();
            return continuation is null ? text : continuation.Cut(text);
        }
        catch (TemplateError e)
        {
            throw new ChatTemplateException(e.KindName, e.Message, e.Line > 0 ? e.Line : state?.Line ?? 0, e);
        }
        finally
        {
            RenderBudget.Swap(outer);
        }
    }

    private static Dictionary<string, Value> Variables(ChatTemplateInput input, FinalMessage? continuation)
    {
        var variables = new Dictionary<string, Value>
        {
            ["messages"] = continuation?.Messages ?? Convert(input.Messages),
            ["tools"] = Convert(input.Tools),
            ["documents"] = Convert(input.Documents),
            ["add_generation_prompt"] = BoolValue.Of(input.AddGenerationPrompt),
        };
        if (input.BosToken is not null)
        {
            variables["bos_token"] = new StrValue(input.BosToken);
        }

        if (input.EosToken is not null)
        {
            variables["eos_token"] = new StrValue(input.EosToken);
        }

        foreach (KeyValuePair<string, JsonElement> extra in input.Extra ?? new Dictionary<string, JsonElement>())
        {
            variables[extra.Key] = Convert(extra.Value);
        }

        return variables;
    }

    private static Value Convert(JsonElement? element)
    {
        try
        {
            return element is null ? NoneValue.Instance : JsonValues.From(element.Value);
        }
        catch (InvalidOperationException)
        {
            throw TemplateError.Value("the input holds half of a surrogate pair (\\ud800 … \\udfff), which is not text; send complete characters");
        }
    }
}
