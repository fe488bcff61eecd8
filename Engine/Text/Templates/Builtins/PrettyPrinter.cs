using System.Text.RegularExpressions;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>pprint: Python's pformat at 80 columns, dictionaries sorted by key.</summary>
internal sealed partial class PrettyPrinter
{
    private const int Width = 80;
    private readonly TextBuffer _output = new();

    public static string Print(Value value)
    {
        var printer = new PrettyPrinter();
        printer.Write(value, 0, 0, 0);
        return printer._output.ToString();
    }

    private void Write(Value value, int indent, int allowance, int level)
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        string flat = Flat(value);
        if (PythonText.CodePoints(flat) <= Width - indent - allowance)
        {
            _output.Append(flat);
        }
        else
        {
            switch (value)
            {
                case DictValue dict:
                    WriteDict(dict, indent, allowance, level + 1);
                    break;
                case ListValue list:
                    _output.Append('[');
                    WriteItems(list.Items, indent + 1, allowance + 1, level + 1);
                    _output.Append(']');
                    break;
                case TupleValue tuple and not GroupValue:
                    string end = tuple.Items.Count == 1 ? ",)" : ")";
                    _output.Append('(');
                    WriteItems(tuple.Items, indent + 1, allowance + end.Length, level + 1);
                    _output.Append(end);
                    break;
                case StrValue { IsMarkup: false } text:
                    WriteText(text.Text, indent, allowance, level + 1);
                    break;
                default:
                    _output.Append(flat);
                    break;
            }
        }

        budget.Leave();
    }

    private void WriteDict(DictValue dict, int indent, int allowance, int level)
    {
        _output.Append('{');
        List<KeyValuePair<Value, Value>> entries = Sorted(dict);
        for (int i = 0; i < entries.Count; i++)
        {
            bool last = i == entries.Count - 1;
            string key = Flat(entries[i].Key);
            _output.Append(key).Append(": ");
            Write(entries[i].Value, indent + 1 + PythonText.CodePoints(key) + 2, last ? allowance + 1 : 1, level);
            if (!last)
            {
                _output.Append(",\n").Append(' ', indent + 1);
            }
        }

        _output.Append('}');
    }

    private void WriteItems(IReadOnlyList<Value> items, int indent, int allowance, int level)
    {
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0)
            {
                _output.Append(",\n").Append(' ', indent);
            }

            Write(items[i], indent, i == items.Count - 1 ? allowance : 1, level);
        }
    }

    private void WriteText(string text, int indent, int allowance, int level)
    {
        if (level == 1)
        {
            indent++;
            allowance++;
        }

        var chunks = new List<string>();
        List<string> lines = PythonText.SplitLines(text, keepEnds: true);
        for (int i = 0; i < lines.Count; i++)
        {
            bool lastLine = i == lines.Count - 1;
            string flat = Quote(lines[i]);
            if (PythonText.CodePoints(flat) <= Width - indent - (lastLine ? allowance : 0))
            {
                chunks.Add(flat);
                continue;
            }

            string current = "";
            MatchCollection parts = Words().Matches(lines[i]);
            int last = parts.Count - 1 - (parts[^1].Length == 0 ? 1 : 0);
            for (int j = 0; j <= last; j++)
            {
                RenderBudget.Current.Step();
                string candidate = current + parts[j].Value;
                int room = Width - indent - (j == last && lastLine ? allowance : 0);
                if (PythonText.CodePoints(Quote(candidate)) > room)
                {
                    if (current.Length > 0)
                    {
                        chunks.Add(Quote(current));
                    }

                    candidate = parts[j].Value;
                }

                current = candidate;
            }

            if (current.Length > 0)
            {
                chunks.Add(Quote(current));
            }
        }

        bool parenthesized = level == 1 && chunks.Count > 1;
        _output.Append(parenthesized ? "(" : "");
        for (int i = 0; i < chunks.Count; i++)
        {
            if (i > 0)
            {
                _output.Append('\n').Append(' ', indent);
            }

            _output.Append(chunks[i]);
        }

        _output.Append(parenthesized ? ")" : "");
    }

    private static string Quote(string text) => new StrValue(text).Repr();

    /// <summary>repr() with every dictionary inside sorted.</summary>
    private static string Flat(Value value)
    {
        var output = new TextBuffer();
        WriteFlat(value, output);
        return output.ToString();
    }

    private static void WriteFlat(Value value, TextBuffer output)
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        budget.Step();
        switch (value)
        {
            case DictValue dict:
                string separator = "{";
                foreach (KeyValuePair<Value, Value> entry in Sorted(dict))
                {
                    output.Append(separator);
                    WriteFlat(entry.Key, output);
                    output.Append(": ");
                    WriteFlat(entry.Value, output);
                    separator = ", ";
                }

                output.Append(dict.IsTrue ? "}" : "{}");
                break;
            case SequenceValue sequence:
                output.Append(sequence is ListValue ? '[' : '(');
                for (int i = 0; i < sequence.Items.Count; i++)
                {
                    output.Append(i > 0 ? ", " : "");
                    WriteFlat(sequence.Items[i], output);
                }

                output.Append(sequence is ListValue ? "]" : sequence.Items.Count == 1 ? ",)" : ")");
                break;
            default:
                value.WriteRepr(output);
                break;
        }

        budget.Leave();
    }

    // Keys that cannot be compared are ordered by the names of their types.
    private static List<KeyValuePair<Value, Value>> Sorted(DictValue dict)
    {
        List<Value> keys = [.. dict.Iterate()];
        try
        {
            keys = StableSort.Sort(keys, key => key, reverse: false);
        }
        catch (TemplateError e) when (e.Kind == ErrorKind.Type)
        {
            keys = StableSort.Sort(keys, key => new StrValue(key.TypeName), reverse: false);
        }

        return [.. keys.Select(key => KeyValuePair.Create(key, dict.TryGet(key, out Value? value) ? value : NoneValue.Instance))];
    }

    [GeneratedRegex(@"\S*\s*", RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
