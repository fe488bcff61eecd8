using System.Text.RegularExpressions;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>textwrap.wrap for one line, with tabs and inner whitespace kept as they are.</summary>
internal static partial class TextWrap
{
    public static List<string> Wrap(string text, int width, bool breakLongWords, bool breakOnHyphens)
    {
        if (width <= 0)
        {
            throw TemplateError.Value($"invalid width {width} (must be > 0)");
        }

        Regex separator = breakOnHyphens ? Chunks() : Spaces();
        var chunks = new Stack<string>(separator.Split(text).Where(chunk => chunk.Length > 0).Reverse());
        var lines = new List<string>();
        while (chunks.Count > 0)
        {
            RenderBudget.Current.Step();
            var line = new List<string>();
            int length = 0;
            if (lines.Count > 0 && PythonText.IsSpace(chunks.Peek()))
            {
                chunks.Pop();
            }

            while (chunks.TryPeek(out string? chunk) && length + PythonText.CodePoints(chunk) <= width)
            {
                length += PythonText.CodePoints(chunk);
                line.Add(chunks.Pop());
            }

            if (chunks.TryPeek(out string? next) && PythonText.CodePoints(next) > width)
            {
                PlaceLongWord(chunks, line, width - length, breakLongWords, breakOnHyphens);
            }

            if (line.Count > 0 && PythonText.IsSpace(line[^1]))
            {
                line.RemoveAt(line.Count - 1);
            }

            if (line.Count > 0)
            {
                lines.Add(string.Concat(line));
            }
        }

        return lines;
    }

    private static void PlaceLongWord(Stack<string> chunks, List<string> line, int room, bool breakLongWords, bool breakOnHyphens)
    {
        if (!breakLongWords)
        {
            // The word gets a line of its own, later if this one has begun.
            if (line.Count == 0)
            {
                line.Add(chunks.Pop());
            }

            return;
        }

        string chunk = chunks.Pop();
        int end = PythonText.OffsetOf(chunk, Math.Min(room, PythonText.CodePoints(chunk)));
        if (breakOnHyphens && PythonText.CodePoints(chunk) > room)
        {
            int hyphen = end > 0 ? chunk.LastIndexOf('-', end - 1) : -1;
            if (hyphen > 0 && chunk.AsSpan(0, hyphen).ContainsAnyExcept('-'))
            {
                end = hyphen + 1;
            }
        }

        line.Add(chunk[..end]);
        chunks.Push(chunk[end..]);
    }

    [GeneratedRegex(@"([\t\n\v\f\r ]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Spaces();

    [GeneratedRegex(
        @"([\t\n\v\f\r ]+|(?<=[\w!""'&.,?])-{2,}(?=\w)|[^\t\n\v\f\r ]+?(?:-(?:(?<=[^\d\W]{2}-)|(?<=[^\d\W]-[^\d\W]-))(?=[^\d\W]-?[^\d\W])|(?=[\t\n\v\f\r ]|\z)|(?<=[\w!""'&.,?])(?=-{2,}\w)))",
        RegexOptions.CultureInvariant)]
    private static partial Regex Chunks();
}
