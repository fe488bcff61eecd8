using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>str methods that take text apart or put it together.</summary>
internal static class StringSplit
{
    public static ListValue Split(StrValue self, Value?[] a, bool fromRight)
    {
        int limit = Coerce.Int(a[1], -1);
        limit = limit < 0 ? int.MaxValue : limit;
        List<string> parts = Coerce.IsNone(a[0])
            ? fromRight ? WordsFromRight(self.Text, limit) : Words(self.Text, limit)
            : Parts(self.Text, Separator(a[0]!), limit, fromRight);
        return Pack(parts, self.IsMarkup);
    }

    public static ListValue Lines(StrValue self, bool keepEnds) => Pack(PythonText.SplitLines(self.Text, keepEnds), self.IsMarkup);

    public static TupleValue Partition(StrValue self, Value separator, bool last)
    {
        string sep = Separator(separator);
        int at = last ? self.Text.LastIndexOf(sep, StringComparison.Ordinal) : self.Text.IndexOf(sep, StringComparison.Ordinal);
        string[] parts = at < 0
            ? last ? ["", "", self.Text] : [self.Text, "", ""]
            : [self.Text[..at], sep, self.Text[(at + sep.Length)..]];
        return new TupleValue([.. parts.Select(part => new StrValue(part, self.IsMarkup))]);
    }

    public static StrValue Join(StrValue self, Value items)
    {
        var output = new TextBuffer();
        int index = 0;
        if (!items.IsIterable)
        {
            throw TemplateError.Type("can only join an iterable");
        }

        foreach (Value item in items.Iterate())
        {
            RenderBudget.Current.Step();
            if (index > 0)
            {
                output.Append(self.Text);
            }

            if (item is not StrValue text && !self.IsMarkup)
            {
                throw TemplateError.Type($"sequence item {index}: expected str instance, {item.TypeName} found");
            }

            output.Append(self.IsMarkup ? Markup.Escape(item).Text : ((StrValue)item).Text);
            index++;
        }

        return new StrValue(output.ToString(), self.IsMarkup);
    }

    private static string Separator(Value value)
    {
        string separator = Coerce.Str(value, "separator");
        return separator.Length > 0 ? separator : throw TemplateError.Value("empty separator");
    }

    private static ListValue Pack(List<string> parts, bool markup)
    {
        RenderBudget.Current.Step(parts.Count);
        return new ListValue([.. parts.Select(part => new StrValue(part, markup))]);
    }

    private static List<string> Parts(string text, string separator, int limit, bool fromRight)
    {
        var parts = new List<string>();
        if (fromRight)
        {
            int end = text.Length;
            while (parts.Count < limit && text.AsSpan(0, end).LastIndexOf(separator, StringComparison.Ordinal) is >= 0 and var at)
            {
                parts.Add(text[(at + separator.Length)..end]);
                end = at;
            }

            parts.Add(text[..end]);
            parts.Reverse();
            return parts;
        }

        int start = 0;
        while (parts.Count < limit && text.IndexOf(separator, start, StringComparison.Ordinal) is >= 0 and var found)
        {
            parts.Add(text[start..found]);
            start = found + separator.Length;
        }

        parts.Add(text[start..]);
        return parts;
    }

    private static List<string> Words(string text, int limit)
    {
        var words = new List<string>();
        int i = 0;
        while (true)
        {
            while (i < text.Length && PythonText.IsSpace(text[i]))
            {
                i++;
            }

            if (i >= text.Length)
            {
                return words;
            }

            if (words.Count == limit)
            {
                words.Add(text[i..]);
                return words;
            }

            int start = i;
            while (i < text.Length && !PythonText.IsSpace(text[i]))
            {
                i++;
            }

            words.Add(text[start..i]);
        }
    }

    private static List<string> WordsFromRight(string text, int limit)
    {
        var words = new List<string>();
        int end = text.Length;
        while (true)
        {
            while (end > 0 && PythonText.IsSpace(text[end - 1]))
            {
                end--;
            }

            if (end == 0)
            {
                break;
            }

            if (words.Count == limit)
            {
                words.Add(text[..end]);
                break;
            }

            int start = end;
            while (start > 0 && !PythonText.IsSpace(text[start - 1]))
            {
                start--;
            }

            words.Add(text[start..end]);
            end = start;
        }

        words.Reverse();
        return words;
    }
}
