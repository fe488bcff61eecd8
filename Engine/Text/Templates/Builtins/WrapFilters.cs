using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>wordwrap, after Python's textwrap with tabs and inner whitespace kept.</summary>
internal static class WrapFilters
{
    public static readonly Dictionary<string, Filter> All = new()
    {
        ["wordwrap"] = new("wordwrap", "s width? break_long_words? wrapstring? break_on_hyphens?", (_, a) => WordWrap(a)),
    };

    private static StrValue WordWrap(Value?[] a)
    {
        string text = a[0] is UndefinedValue undefined ? throw undefined.Failure() : Coerce.Str(a[0], "wordwrap's text");
        bool breakLong = a[2]?.IsTrue ?? true;
        string separator = Coerce.IsNone(a[3]) ? "\n" : Coerce.Str(a[3], "wrapstring");
        bool breakHyphens = a[4]?.IsTrue ?? true;
        IEnumerable<string> paragraphs = PythonText.SplitLines(text)
            .Select(line => string.Join(separator, TextWrap.Wrap(line, Coerce.Int(a[1], 79), breakLong, breakHyphens)));
        var output = new TextBuffer();
        bool first = true;
        foreach (string paragraph in paragraphs)
        {
            output.Append(first ? "" : separator).Append(paragraph);
            first = false;
        }

        return new StrValue(output.ToString());
    }
}
