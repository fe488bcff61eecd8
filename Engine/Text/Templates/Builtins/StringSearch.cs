using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>str methods that look for text: strip, find, count, replace, startswith.</summary>
internal static class StringSearch
{
    public static string Strip(string text, Value? chars, bool left, bool right)
    {
        Func<string, int, bool> drop;
        if (Coerce.IsNone(chars))
        {
            drop = (s, i) => PythonText.IsSpace(s[i]);
        }
        else
        {
            var set = new HashSet<int>(CharacterTests.CodePoints(Coerce.Str(chars, "strip arg")));
            drop = (s, i) => set.Contains(PythonText.CodePointAt(s, i));
        }

        int start = 0;
        int end = text.Length;
        while (left && start < end && drop(text, start))
        {
            start += PythonText.WidthAt(text, start);
        }

        while (right && end > start)
        {
            int last = end - 1;
            if (last > start && char.IsLowSurrogate(text[last]) && char.IsHighSurrogate(text[last - 1]))
            {
                last--;
            }

            if (!drop(text, last))
            {
                break;
            }

            end = last;
        }

        return text[start..end];
    }

    public static Value Find(StrValue self, Value?[] a, bool last, bool required)
    {
        string sub = Coerce.Str(a[0], "argument");
        (int start, int end) = Window(self, a);
        int offset = start > end ? -1
            : last ? LastIndexOf(self.Text, sub, start, end)
            : self.Text.IndexOf(sub, start, end - start, StringComparison.Ordinal);
        if (offset < 0)
        {
            return required ? throw TemplateError.Value("substring not found") : IntValue.Of(-1);
        }

        return IntValue.Of(self.IsFlat ? offset : PythonText.IndexOf(self.Text, offset));
    }

    public static IntValue Count(StrValue self, Value?[] a)
    {
        string sub = Coerce.Str(a[0], "argument");
        (int start, int end) = Window(self, a);
        if (start > end)
        {
            return IntValue.Of(0);
        }

        if (sub.Length == 0)
        {
            return IntValue.Of(PythonText.CodePoints(self.Text[start..end]) + 1);
        }

        int count = 0;
        for (int i = start; (i = self.Text.IndexOf(sub, i, end - i, StringComparison.Ordinal)) >= 0; i += sub.Length)
        {
            count++;
        }

        return IntValue.Of(count);
    }

    public static BoolValue Affix(StrValue self, Value?[] a, bool atEnd)
    {
        (int start, int end) = Window(self, a);
        if (a[0] is TupleValue options)
        {
            return BoolValue.Of(options.Items.Any(option => Matches(self.Text, Coerce.Str(option, "tuple for startswith or endswith"), start, end, atEnd)));
        }

        return BoolValue.Of(Matches(self.Text, Coerce.Str(a[0], "startswith or endswith first arg"), start, end, atEnd));
    }

    public static StrValue Replace(StrValue self, Value?[] a)
    {
        string old = Coerce.Str(a[0], "replace() argument 1");
        string with = self.IsMarkup ? Markup.Escape(a[1]!).Text : Coerce.Str(a[1], "replace() argument 2");
        return new StrValue(Replace(self.Text, old, with, Coerce.Int(a[2], -1)), self.IsMarkup);
    }

    /// <summary>str.replace: at most <paramref name="count"/> times, all when negative; an empty text is found between all characters.</summary>
    public static string Replace(string text, string old, string with, int count)
    {
        if (count == 0 || (old.Length > 0 && !text.Contains(old, StringComparison.Ordinal)))
        {
            return text;
        }

        var output = new TextBuffer();
        int position = 0;
        for (int done = 0; count < 0 || done < count; done++)
        {
            RenderBudget.Current.Step();
            if (old.Length == 0)
            {
                output.Append(with);
                if (position >= text.Length)
                {
                    return output.ToString();
                }

                int width = PythonText.WidthAt(text, position);
                output.Append(text.AsSpan(position, width));
                position += width;
                continue;
            }

            int next = text.IndexOf(old, position, StringComparison.Ordinal);
            if (next < 0)
            {
                break;
            }

            output.Append(text.AsSpan(position, next - position)).Append(with);
            position = next + old.Length;
        }

        return output.Append(text.AsSpan(position)).ToString();
    }

    private static bool Matches(string text, string affix, int start, int end, bool atEnd) =>
        start <= end && affix.Length <= end - start && string.CompareOrdinal(text, atEnd ? end - affix.Length : start, affix, 0, affix.Length) == 0;

    private static int LastIndexOf(string text, string sub, int start, int end)
    {
        int found = text.AsSpan(start, end - start).LastIndexOf(sub, StringComparison.Ordinal);
        return sub.Length == 0 ? end : found < 0 ? -1 : start + found;
    }

    /// <summary>UTF-16 bounds of the optional start and end, which are slice bounds; start beyond end means nothing can match.</summary>
    private static (int Start, int End) Window(StrValue self, Value?[] a)
    {
        int start = Bound(a[1], self.CodePoints, 0);
        int end = Math.Min(Bound(a[2], self.CodePoints, self.CodePoints), self.CodePoints);
        if (start > self.CodePoints)
        {
            return (1, 0);
        }

        return self.IsFlat ? (start, end) : start > end ? (1, 0) : (PythonText.OffsetOf(self.Text, start), PythonText.OffsetOf(self.Text, end));
    }

    private static int Bound(Value? value, int length, int fallback)
    {
        if (Coerce.IsNone(value))
        {
            return fallback;
        }

        int position = Coerce.Int(value, 0);
        return position < 0 ? Math.Max(0, position + length) : position;
    }
}
