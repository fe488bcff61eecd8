using System.Text.RegularExpressions;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>urlize: URLs and mail addresses in text become links.</summary>
internal static partial class Urlizer
{
    private static readonly (string Open, string Close)[] Brackets = [("(", ")"), ("<", ">"), ("&lt;", "&gt;")];

    /// <summary>Arguments: value, trim_url_limit, nofollow, target, rel, extra_schemes.</summary>
    public static string Urlize(Value?[] a)
    {
        string text = Markup.Escape(a[0]!).Text;
        var rel = new SortedSet<string>(StringComparer.Ordinal) { "noopener" };
        foreach (string part in (Coerce.IsNone(a[4]) ? "" : Coerce.Str(a[4], "rel")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            rel.Add(part);
        }

        if (Coerce.Truth(a[2]))
        {
            rel.Add("nofollow");
        }

        string attributes = $" rel=\"{Markup.EscapeText(string.Join(' ', rel))}\"";
        if (!Coerce.IsNone(a[3]) && a[3]!.IsTrue)
        {
            attributes += $" target=\"{Markup.Escape(a[3]!).Text}\"";
        }

        List<string> schemes = Coerce.IsNone(a[5]) ? [] : [.. Coerce.List(a[5]!).Select(scheme => Coerce.Str(scheme, "scheme"))];
        if (schemes.Find(scheme => !Scheme().IsMatch(scheme)) is { } wrong)
        {
            throw new TemplateError(ErrorKind.Raised, $"{StringRepr.Of(wrong)} is not a valid URI scheme prefix.");
        }

        var output = new TextBuffer();
        foreach (string word in Space().Split(text))
        {
            RenderBudget.Current.Step();
            output.Append(Word(word, attributes, a[1], schemes));
        }

        return output.ToString();
    }

    private static string Word(string word, string attributes, Value? limit, List<string> schemes)
    {
        string head = Head().Match(word).Value;
        string middle = word[head.Length..];
        int end = TailStart(middle);
        string tail = middle[end..];
        middle = middle[..end];
        foreach ((string open, string close) in Brackets)
        {
            int opened = Count(middle, open);
            if (opened <= Count(middle, close))
            {
                continue;
            }

            for (int moves = Math.Min(opened, Count(tail, close)); moves > 0; moves--)
            {
                int moved = tail.IndexOf(close, StringComparison.Ordinal) + close.Length;
                middle += tail[..moved];
                tail = tail[moved..];
            }
        }

        return head + Link(middle, attributes, limit, schemes) + tail;
    }

    private static string Link(string text, string attributes, Value? limit, List<string> schemes)
    {
        if (Http().IsMatch(text))
        {
            bool hasScheme = text.StartsWith("https://", StringComparison.Ordinal) || text.StartsWith("http://", StringComparison.Ordinal);
            int shownLength = Coerce.IsNone(limit) ? int.MaxValue : Coerce.Int(limit, int.MaxValue);
            string shown = PythonText.CodePoints(text) > shownLength
                ? new StrValue(text).GetSlice(new SliceBounds(null, shownLength, null)).Str() + "..."
                : text;
            return $"<a href=\"{(hasScheme ? "" : "https://")}{text}\"{attributes}>{shown}</a>";
        }

        if (text.StartsWith("mailto:", StringComparison.Ordinal) && Mail().IsMatch(text[7..]))
        {
            return $"<a href=\"{text}\">{text[7..]}</a>";
        }

        if (text.Contains('@', StringComparison.Ordinal) && !text.StartsWith("www.", StringComparison.Ordinal) && !text.StartsWith('@')
            && !text.Contains(':', StringComparison.Ordinal) && Mail().IsMatch(text))
        {
            return $"<a href=\"mailto:{text}\">{text}</a>";
        }

        foreach (string scheme in schemes)
        {
            if (text != scheme && text.StartsWith(scheme, StringComparison.Ordinal))
            {
                text = $"<a href=\"{text}\"{attributes}>{text}</a>";
            }
        }

        return text;
    }

    private static int TailStart(string text)
    {
        int end = text.Length;
        while (end > 0)
        {
            if (text[end - 1] is ')' or '>' or '.' or ',' or '\n')
            {
                end--;
            }
            else if (text.AsSpan(0, end).EndsWith("&gt;"))
            {
                end -= 4;
            }
            else
            {
                break;
            }
        }

        return end;
    }

    private static int Count(string text, string sub)
    {
        int count = 0;
        for (int i = 0; (i = text.IndexOf(sub, i, StringComparison.Ordinal)) >= 0; i += sub.Length)
        {
            count++;
        }

        return count;
    }

    [GeneratedRegex(@"(\s+)", RegexOptions.CultureInvariant)]
    private static partial Regex Space();

    [GeneratedRegex(@"^(?:[(<]|&lt;)+", RegexOptions.CultureInvariant)]
    private static partial Regex Head();

    [GeneratedRegex(@"^[\w.+-]{2,}:/{0,2}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Scheme();

    // NonBacktracking: the host part repeats inside a repetition, and the text is a stranger's.
    private static Regex Http() => HttpPattern;

    private static Regex Mail() => MailPattern;

    private static readonly Regex HttpPattern = new(
        @"^(?:(?:https?://|www\.)(?:(?:[\w%-]+\.)+)?(?:[a-z]{2,63}|xn--[\w%]{2,59})|(?:[\w%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)|https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::\d{1,5})?(?:[/?#]\S*)?$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    private static readonly Regex MailPattern = new(@"^\S+@\w[\w.-]*\.\w+$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
}
