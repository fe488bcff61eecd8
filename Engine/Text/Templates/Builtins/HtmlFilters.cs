using System.Buffers;
using System.Net;
using System.Text;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Filters for HTML and URLs.</summary>
internal static class HtmlFilters
{
    private static readonly SearchValues<char> RefusedInNames = SearchValues.Create(" \t\n\r\f\v/>=");

    public static readonly Dictionary<string, Filter> All = new()
    {
        ["e"] = new("escape", "s /", (_, a) => Markup.Escape(a[0]!)),
        ["escape"] = new("escape", "s /", (_, a) => Markup.Escape(a[0]!)),
        ["forceescape"] = new("forceescape", "value", (_, a) => new StrValue(Markup.EscapeText(a[0]!.Str()), true)),
        ["safe"] = new("safe", "value", (_, a) => new StrValue(a[0]!.Str(), true)),
        ["striptags"] = new("striptags", "value", (_, a) => new StrValue(StripTags(a[0]!.Str()))),
        ["urlencode"] = new("urlencode", "value", (_, a) => new StrValue(UrlEncode(a[0]!))),
        ["urlize"] = new("urlize", "value trim_url_limit? nofollow? target? rel? extra_schemes?", (state, a) => new StrValue(Urlizer.Urlize(a), state.AutoEscape)),
        ["xmlattr"] = new("xmlattr", "d autospace?", XmlAttributes),
    };

    private static string StripTags(string text)
    {
        text = Remove(text, "<!--", "-->");
        text = Remove(text, "<", ">");
        return WebUtility.HtmlDecode(string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
    }

    private static string Remove(string text, string open, string close)
    {
        var kept = new StringBuilder(text.Length);
        int position = 0;
        while (true)
        {
            int start = text.IndexOf(open, position, StringComparison.Ordinal);
            int end = start < 0 ? -1 : text.IndexOf(close, start, StringComparison.Ordinal);
            if (end < 0)
            {
                return kept.Append(text.AsSpan(position)).ToString();
            }

            kept.Append(text.AsSpan(position, start - position));
            position = end + close.Length;
        }
    }

    private static string UrlEncode(Value value)
    {
        if (value is StrValue || !value.IsIterable)
        {
            return Quote(value.Str(), forQuery: false);
        }

        IEnumerable<Value> pairs = value is DictValue dict
            ? dict.Entries.Select(entry => new TupleValue([entry.Key, entry.Value]))
            : value.Iterate();
        var parts = new List<string>();
        foreach (Value pair in pairs)
        {
            List<Value> items = Coerce.List(pair);
            if (items.Count != 2)
            {
                throw TemplateError.Value("urlencode takes pairs of key and value");
            }

            parts.Add(Quote(items[0].Str(), forQuery: true) + "=" + Quote(items[1].Str(), forQuery: true));
        }

        return string.Join('&', parts);
    }

    private static string Quote(string text, bool forQuery)
    {
        var quoted = new StringBuilder();
        foreach (byte item in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)item;
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && !forQuery))
            {
                quoted.Append(c);
            }
            else if (c == ' ' && forQuery)
            {
                quoted.Append('+');
            }
            else
            {
                quoted.Append('%').Append(item.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
            }
        }

        return quoted.ToString();
    }

    private static StrValue XmlAttributes(RenderState state, Value?[] a)
    {
        DictValue dict = a[0] as DictValue ?? throw (a[0] is UndefinedValue undefined ? undefined.Failure() : TemplateError.Type($"'{a[0]!.TypeName}' object has no attribute 'items'"));
        var parts = new List<string>();
        foreach (KeyValuePair<Value, Value> entry in dict.Entries)
        {
            if (entry.Value is NoneValue or UndefinedValue)
            {
                continue;
            }

            string key = Coerce.Str(entry.Key, "attribute name");
            if (key.AsSpan().ContainsAny(RefusedInNames))
            {
                throw TemplateError.Value($"Invalid character in attribute name: {StringRepr.Of(key)}");
            }

            parts.Add($"{Markup.EscapeText(key)}=\"{Markup.Escape(entry.Value).Text}\"");
        }

        string text = string.Join(' ', parts);
        return new StrValue((a[1]?.IsTrue ?? true) && text.Length > 0 ? " " + text : text, state.AutoEscape);
    }
}
