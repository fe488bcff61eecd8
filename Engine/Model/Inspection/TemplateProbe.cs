using System.Text.Json;
using Fastgen.Engine.Text.Templates;
using Fastgen.Engine.Text.Templates.Builtins;
using Fastgen.Engine.Text.Templates.Syntax;

namespace Fastgen.Engine.Model.Inspection;

/// <summary>Renders small conversations with a chat template and sees what becomes of them.</summary>
internal sealed class TemplateProbe(string name, ChatTemplate template, ChatTemplateSet set)
{
    private const string User = """{"role":"user","content":"probe_user"}""";
    private const string Assistant = """{"role":"assistant","content":"probe_assistant"}""";
    private const string System = """{"role":"system","content":"probe_system"}""";
    private const string Tools = """[{"type":"function","function":{"name":"probe_tool","description":"Finds.","parameters":{"type":"object","properties":{"place":{"type":"string","description":"Where."}},"required":["place"]}}}]""";

    private static readonly RenderLimits Limits = new() { MaxTextChars = 1 << 20, MaxTotalChars = 16 << 20, MaxSteps = 1_000_000, MaxTime = TimeSpan.FromSeconds(2) };

    private static readonly HashSet<string> UsualNames = new(StringComparer.Ordinal)
    {
        "messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "unk_token", "pad_token", "loop", "namespace", "range", "dict", "lipsum", "cycler", "joiner",
        "raise_exception", "strftime_now", "message", "tool", "not", "none", "None", "true", "false", "True", "False",
    };

    public TemplateReport Run()
    {
        string? plain = Render($"[{User}]", generationPrompt: false);
        string? prompted = Render($"[{User}]", generationPrompt: true);
        List<Token> tokens = Lexer.Tokenize(template.Source);
        return new TemplateReport
        {
            Name = name,
            Renders = Render($"[{User},{Assistant},{User}]", generationPrompt: true)?.Contains("probe_user", StringComparison.Ordinal) == true,
            System = Render($"[{System},{User}]", generationPrompt: true)?.Contains("probe_system", StringComparison.Ordinal) == true,
            Tools = Render($"[{User}]", generationPrompt: true, withTools: true)?.Contains("probe_tool", StringComparison.Ordinal) == true,
            GenerationPrompt = prompted is not null && prompted != plain,
            UnknownFilters = [.. Names(tokens, (previous, _) => previous.IsOperator("|")).Where(filter => !Filters.Exists(filter))],
            UnknownTests = [.. Names(tokens, (previous, before) => previous.IsName("is") || (previous.IsName("not") && before.IsName("is"))).Where(test => test != "not" && !Fastgen.Engine.Text.Templates.Builtins.Tests.Exists(test))],
            Arguments = [.. AskedFor(tokens)],
        };
    }

    private static IEnumerable<string> Names(List<Token> tokens, Func<Token, Token, bool> follows) => tokens
        .Where((token, i) => token.Kind == TokenKind.Name && i > 1 && follows(tokens[i - 1], tokens[i - 2]))
        .Select(token => token.Text).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

    // Names of which the template asks whether they are defined, and that it does not set itself.
    private static IEnumerable<string> AskedFor(List<Token> tokens)
    {
        var set = tokens.Where((token, i) => token.Kind == TokenKind.Name && i > 0
            && ((tokens[i - 1].IsName("set") && !IsBlock(tokens, i + 1)) || tokens[i - 1].IsName("for"))).Select(token => token.Text).ToHashSet(StringComparer.Ordinal);
        return tokens
            .Where((token, i) => token.Kind == TokenKind.Name && i > 0 && i + 2 < tokens.Count && !tokens[i - 1].IsOperator(".")
                && tokens[i + 1].IsName("is") && (tokens[i + 2].IsName("defined") || (tokens[i + 2].IsName("not") && i + 3 < tokens.Count && tokens[i + 3].IsName("defined"))))
            .Select(token => token.Text)
            .Where(asked => !UsualNames.Contains(asked) && !set.Contains(asked))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal);
    }

    // {% set x = … %} with a default for x is how an argument is read: the name is then asked for before it is set.
    private static bool IsBlock(List<Token> tokens, int index)
    {
        int asked = tokens.FindIndex(token => token.Kind == TokenKind.Name && token.Text == tokens[index - 1].Text);
        return asked >= 0 && asked < index - 1 && asked + 2 < tokens.Count && tokens[asked + 1].IsName("is");
    }

    private string? Render(string messages, bool generationPrompt, bool withTools = false)
    {
        using JsonDocument conversation = JsonDocument.Parse(messages);
        using JsonDocument tools = JsonDocument.Parse(Tools);
        try
        {
            return template.Render(
                new ChatTemplateInput
                {
                    Messages = conversation.RootElement,
                    Tools = withTools ? tools.RootElement : null,
                    AddGenerationPrompt = generationPrompt,
                    BosToken = set.BosToken ?? "",
                    EosToken = set.EosToken ?? "",
                },
                Limits);
        }
        catch (ChatTemplateException)
        {
            // A template that refuses this conversation does not have the feature.
            return null;
        }
    }
}
