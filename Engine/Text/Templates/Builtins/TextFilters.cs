using System.Text;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Filters over plain text.</summary>
internal static class TextFilters
{
    public static readonly Dictionary<string, Filter> All = new()
    {
        ["capitalize"] = new("capitalize", "s", (_, a) => Map(a[0]!, CaseMapping.Capitalize)),
        ["center"] = new("center", "value width?", (_, a) => Map(a[0]!, text => StringLayout.Pad(text, Coerce.Int(a[1], 80), " ", '^'))),
        ["format"] = new((_, value, arguments) => Format(value, arguments)),
        ["indent"] = new("indent", "s width? first? blank?", (_, a) => Indent(a)),
        ["lower"] = new("lower", "s", (_, a) => Map(a[0]!, CaseMapping.ToLower)),
        ["upper"] = new("upper", "s", (_, a) => Map(a[0]!, CaseMapping.ToUpper)),
        ["pprint"] = new("pprint", "value", (_, a) => new StrValue(PrettyPrinter.Print(a[0]!))),
        ["replace"] = new("replace", "s old new count?", Replace),
        ["string"] = new("string", "s", (_, a) => Coerce.Text(a[0])),
        ["title"] = new("title", "s", (_, a) => Map(a[0]!, Title)),
        ["trim"] = new("trim", "value chars?", (_, a) => Map(a[0]!, text => StringSearch.Strip(text, a[1], left: true, right: true))),
        ["truncate"] = new("truncate", "s length? killwords? end? leeway?", (_, a) => Truncate(a)),
        ["wordcount"] = new("wordcount", "s", (_, a) => IntValue.Of(WordCount(Coerce.Text(a[0]).Text))),
    };

    private static StrValue Map(Value value, Func<string, string> change)
    {
        StrValue text = Coerce.Text(value);
        return new StrValue(change(text.Text), text.IsMarkup);
    }

    private static StrValue Format(Value value, CallArguments arguments)
    {
        if (arguments.Positional.Length > 0 && arguments.Named.Count > 0)
        {
            throw new TemplateError(ErrorKind.Raised, "can't handle positional and keyword arguments at the same time");
        }

        return PercentFormat.Format(
            Coerce.Text(value),
            arguments.Named.Count > 0 ? DictMethods.Create(arguments) : new TupleValue(arguments.Positional));
    }

    private static StrValue Indent(Value?[] a)
    {
        if (a[0] is not StrValue text)
        {
            throw a[0] is UndefinedValue undefined ? undefined.Failure() : TemplateError.Type($"indent takes text, not {a[0]!.TypeName}");
        }

        string indentation = a[1] is StrValue given ? given.Text : StringLayout.Pad("", Coerce.Int(a[1], 4), " ", '<');
        bool blank = Coerce.Truth(a[3]);

        // The reference appends a newline first, so that one at the end counts as the end of a line.
        List<string> lines = PythonText.SplitLines(text.Text + "\n");
        var output = new TextBuffer();
        output.Append(Coerce.Truth(a[2]) ? indentation : "");
        for (int i = 0; i < lines.Count; i++)
        {
            if (i > 0)
            {
                output.Append('\n').Append(blank || lines[i].Length > 0 ? indentation : "");
            }

            output.Append(lines[i]);
        }

        return new StrValue(output.ToString(), text.IsMarkup);
    }

    private static StrValue Replace(RenderState state, Value?[] a)
    {
        int count = Coerce.IsNone(a[3]) ? -1 : Coerce.Int(a[3], -1);
        if (!state.AutoEscape)
        {
            return new StrValue(StringSearch.Replace(a[0]!.Str(), a[1]!.Str(), a[2]!.Str(), count));
        }

        StrValue subject = Coerce.Text(a[0]);
        if (a[1] is StrValue { IsMarkup: true } || (a[2] is StrValue { IsMarkup: true } && !subject.IsMarkup))
        {
            subject = Markup.Escape(subject);
        }

        string with = subject.IsMarkup ? Markup.Escape(a[2]!).Text : a[2]!.Str();
        return new StrValue(StringSearch.Replace(subject.Text, a[1]!.Str(), with, count), subject.IsMarkup);
    }

    /// <summary>Unlike str.title: words begin after space, hyphens and opening brackets only.</summary>
    private static string Title(string text)
    {
        var title = new StringBuilder();
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && !IsBoundary(text[i]))
            {
                continue;
            }

            if (i > start)
            {
                int first = PythonText.WidthAt(text, start);
                title.Append(CaseMapping.ToUpper(text.Substring(start, first))).Append(CaseMapping.ToLower(text[(start + first)..i]));
            }

            if (i < text.Length)
            {
                title.Append(text[i]);
            }

            start = i + 1;
        }

        return title.ToString();
    }

    private static bool IsBoundary(char c) => c is '-' or '(' or '{' or '[' or '<' || PythonText.IsSpace(c);

    private static Value Truncate(Value?[] a)
    {
        int length = Coerce.Int(a[1], 255);
        StrValue end = a[3] is null ? new StrValue("...") : a[3] as StrValue ?? throw TemplateError.Type("truncate's end must be text");
        int leeway = Coerce.IsNone(a[4]) ? 5 : Coerce.Int(a[4], 5);
        if (length < end.CodePoints || leeway < 0)
        {
            throw new TemplateError(ErrorKind.Assertion, $"expected length >= {end.CodePoints} and leeway >= 0, got {length} and {leeway}");
        }

        if ((a[0]!.Length ?? throw TemplateError.Type($"object of type '{a[0]!.TypeName}' has no len()")) <= (long)length + leeway)
        {
            return a[0]!;
        }

        StrValue text = a[0] as StrValue ?? throw TemplateError.Type($"truncate takes text, not {a[0]!.TypeName}");

        string kept = text.Text[..PythonText.OffsetOf(text.Text, length - end.CodePoints)];
        if (!Coerce.Truth(a[2]))
        {
            int space = kept.LastIndexOf(' ');
            kept = space < 0 ? kept : kept[..space];
        }

        return Markup.Add(new StrValue(kept, text.IsMarkup), end);
    }

    private static int WordCount(string text)
    {
        int count = 0;
        bool inWord = false;
        for (int i = 0; i < text.Length; i += PythonText.WidthAt(text, i))
        {
            bool isWord = PythonText.IsWordAt(text, i);
            count += isWord && !inWord ? 1 : 0;
            inWord = isWord;
        }

        return count;
    }
}
