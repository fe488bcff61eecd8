using System.Globalization;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>HuggingFace's tojson: Python's json.dumps without HTML escaping, characters beyond ASCII kept.</summary>
internal sealed class JsonWriter
{
    private readonly TextBuffer _output = new();
    private readonly bool _asciiOnly;
    private readonly string? _indent;
    private readonly string _itemSeparator;
    private readonly string _keySeparator;
    private readonly bool _sortKeys;
    private int _level;

    private JsonWriter(Value?[] bound)
    {
        _asciiOnly = Coerce.Truth(bound[1]);
        _indent = bound[2] switch
        {
            null or NoneValue => null,
            StrValue text => text.Text,
            var width => Indent(Coerce.Int(width, 0)),
        };
        (_itemSeparator, _keySeparator) = Separators(bound[3], _indent is not null);
        _sortKeys = Coerce.Truth(bound[4]);
    }

    /// <summary>Arguments: value, ensure_ascii, indent, separators, sort_keys.</summary>
    public static StrValue Write(Value?[] bound)
    {
        var writer = new JsonWriter(bound);
        writer.WriteValue(bound[0]!);
        return new StrValue(writer._output.ToString());
    }

    private static string Indent(int width)
    {
        RenderBudget.Current.Chars(Math.Max(0, width));
        return new string(' ', Math.Max(0, width));
    }

    private static (string Item, string Key) Separators(Value? given, bool indented)
    {
        if (given is null or NoneValue)
        {
            return (indented ? "," : ", ", ": ");
        }

        List<Value> parts = Coerce.List(given);
        return parts.Count == 2 ? (Coerce.Str(parts[0], "separator"), Coerce.Str(parts[1], "separator")) : throw TemplateError.Value($"separators must be two strings, not {parts.Count}");
    }

    private void WriteValue(Value value)
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Step();
        switch (value)
        {
            case NoneValue: _output.Append("null"); break;
            case BoolValue: _output.Append(value.IsTrue ? "true" : "false"); break;
            case IntValue: _output.Append(value.Str()); break;
            case FloatValue real: _output.Append(FloatText(real.Double)); break;
            case StrValue text: WriteString(text.Text); break;
            case SequenceValue sequence:
                budget.Enter();
                WriteItems('[', ']', sequence.Items, WriteValue);
                budget.Leave();
                break;
            case DictValue dict:
                budget.Enter();
                WriteItems('{', '}', Entries(dict), WriteEntry);
                budget.Leave();
                break;
            default: throw TemplateError.Type($"Object of type {value.TypeName} is not JSON serializable");
        }
    }

    private IReadOnlyList<KeyValuePair<Value, Value>> Entries(DictValue dict)
    {
        if (!_sortKeys)
        {
            return dict.Entries;
        }

        List<Value> keys = StableSort.Sort([.. dict.Iterate()], key => key, reverse: false);
        return [.. keys.Select(key => KeyValuePair.Create(key, dict.TryGet(key, out Value? value) ? value : NoneValue.Instance))];
    }

    private void WriteEntry(KeyValuePair<Value, Value> entry)
    {
        WriteString(entry.Key switch
        {
            StrValue text => text.Text,
            BoolValue => entry.Key.IsTrue ? "true" : "false",
            IntValue => entry.Key.Str(),
            FloatValue real => FloatText(real.Double),
            NoneValue => "null",
            _ => throw TemplateError.Type($"keys must be str, int, float, bool or None, not {entry.Key.TypeName}"),
        });
        _output.Append(_keySeparator);
        WriteValue(entry.Value);
    }

    private void WriteItems<T>(char open, char close, IReadOnlyList<T> items, Action<T> write)
    {
        _output.Append(open);
        if (items.Count == 0)
        {
            _output.Append(close);
            return;
        }

        _level++;
        bool first = true;
        foreach (T item in items)
        {
            _output.Append(first ? "" : _itemSeparator);
            first = false;
            BreakLine();
            write(item);
        }

        _level--;
        BreakLine();
        _output.Append(close);
    }

    private void BreakLine()
    {
        if (_indent is null)
        {
            return;
        }

        _output.Append('\n');
        for (int i = 0; i < _level; i++)
        {
            _output.Append(_indent);
        }
    }

    private static string FloatText(double value) => double.IsNaN(value) ? "NaN"
        : double.IsInfinity(value) ? value > 0 ? "Infinity" : "-Infinity"
        : FloatFormat.Repr(value);

    private void WriteString(string text)
    {
        _output.Append('"');
        int plain = 0;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            string? escape = c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\f' => "\\f",
                '\b' => "\\b",
                < ' ' => "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture),
                > '~' when _asciiOnly => "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture),
                _ => null,
            };
            if (escape is not null)
            {
                _output.Append(text.AsSpan(plain, i - plain)).Append(escape);
                plain = i + 1;
            }
        }

        _output.Append(text.AsSpan(plain)).Append('"');
    }
}
