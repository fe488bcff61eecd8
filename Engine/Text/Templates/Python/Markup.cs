using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>HTML escaping as markupsafe does it: text that is already markup passes, all else is escaped.</summary>
internal static class Markup
{
    public static StrValue Escape(Value value) => value is StrValue { IsMarkup: true } markup ? markup : new StrValue(EscapeText(value.Str()), true);

    public static string EscapeText(string text) => text.AsSpan().IndexOfAny("&<>'\"") < 0
        ? text
        : text.Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace("'", "&#39;", StringComparison.Ordinal)
            .Replace("\"", "&#34;", StringComparison.Ordinal);

    public static StrValue Add(StrValue a, StrValue b)
    {
        bool markup = a.IsMarkup || b.IsMarkup;
        string left = markup ? Escape(a).Text : a.Text;
        string right = markup ? Escape(b).Text : b.Text;
        RenderBudget.Current.Chars((long)left.Length + right.Length);
        return new StrValue(left + right, markup);
    }
}
