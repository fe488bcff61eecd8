using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>Filters over sequences and mappings as wholes.</summary>
internal static class SequenceFilters
{
    public static readonly Dictionary<string, Filter> All = new()
    {
        ["attr"] = new("attr", "obj name", (_, a) => Attr(a[0]!, a[1]!)),
        ["batch"] = new("batch", "value linecount fill_with?", (_, a) => Coerce.Generator(Batch(a[0]!, a[1]!, a[2]))),
        ["count"] = new("len", "obj /", (_, a) => Length(a[0]!)),
        ["length"] = new("len", "obj /", (_, a) => Length(a[0]!)),
        ["default"] = new("default", "value default_value? boolean?", (_, a) => Default(a)),
        ["d"] = new("default", "value default_value? boolean?", (_, a) => Default(a)),
        ["dictsort"] = new("dictsort", "value case_sensitive? by? reverse?", (_, a) => DictSort(a)),
        ["first"] = new("first", "seq", (_, a) => a[0]!.Iterate().FirstOrDefault() ?? new UndefinedValue("No first item, sequence was empty.")),
        ["last"] = new("last", "seq", (_, a) => Last(a[0]!)),
        ["groupby"] = new("groupby", "value attribute default? case_sensitive?", (_, a) => GroupBy(a)),
        ["items"] = new("items", "value", (_, a) => Coerce.Generator(Items(a[0]!))),
        ["join"] = new("join", "value d? attribute?", Join),
        ["list"] = new("list", "value", (_, a) => new ListValue(Coerce.List(a[0]!))),
        ["max"] = new("max", "value case_sensitive? attribute?", (_, a) => Extreme(a, wantLess: false)),
        ["min"] = new("min", "value case_sensitive? attribute?", (_, a) => Extreme(a, wantLess: true)),
        ["random"] = new("random", "seq", (_, a) => Random(a[0]!)),
        ["reverse"] = new("reverse", "value", (_, a) => Reverse(a[0]!)),
        ["slice"] = new("slice", "value slices fill_with?", (_, a) => Coerce.Generator(Slice(a[0]!, a[1]!, a[2]))),
        ["sort"] = new("sort", "value reverse? case_sensitive? attribute?", (_, a) => Sort(a)),
        ["sum"] = new("sum", "iterable attribute? start?", (_, a) => Sum(a)),
        ["tojson"] = new("tojson", "x ensure_ascii? indent? separators? sort_keys?", (_, a) => JsonWriter.Write(a)),
        ["unique"] = new("unique", "value case_sensitive? attribute?", (_, a) => Coerce.Generator(Unique(a))),
    };

    private static IntValue Length(Value value) =>
        value.Length is { } length ? IntValue.Of(length) : throw TemplateError.Type($"object of type '{value.TypeName}' has no len()");

    private static Value Default(Value?[] a) =>
        a[0] is UndefinedValue || (Coerce.Truth(a[2]) && !a[0]!.IsTrue) ? a[1] ?? StrValue.Empty : a[0]!;

    private static Value Attr(Value owner, Value name)
    {
        string attribute = Coerce.Str(name, "attribute name");
        return owner.IsWithheld(attribute) ? UndefinedValue.Withheld(owner, attribute)
            : !owner.TryGetAttribute(attribute, out Value? value) ? UndefinedValue.Member(owner, name)
            : attribute.StartsWith('_') ? UndefinedValue.Withheld(owner, attribute) : value;
    }

    private static IEnumerable<Value> Batch(Value value, Value size, Value? fill)
    {
        var row = new List<Value>();
        foreach (Value item in value.Iterate())
        {
            RenderBudget.Current.Step();
            if (size.PythonEquals(IntValue.Of(row.Count)))
            {
                yield return new ListValue(row);
                row = [];
            }

            row.Add(item);
        }

        if (row.Count > 0)
        {
            if (!Coerce.IsNone(fill) && Operators.IsLess(IntValue.Of(row.Count), size))
            {
                int missing = Coerce.Int(size, 0) - row.Count;
                RenderBudget.Current.Step(missing);
                row.AddRange(Enumerable.Repeat(fill!, missing));
            }

            yield return new ListValue(row);
        }
    }

    private static IEnumerable<Value> Slice(Value value, Value slices, Value? fill)
    {
        List<Value> items = Coerce.List(value);
        int count = Coerce.Int(slices, 0);
        if (count == 0)
        {
            throw new TemplateError(ErrorKind.ZeroDivision, "integer division or modulo by zero");
        }

        int start = 0;
        for (int i = 0; i < count; i++)
        {
            RenderBudget.Current.Step();
            int size = (items.Count / count) + (i < items.Count % count ? 1 : 0);
            List<Value> slice = items.GetRange(start, size);
            start += size;
            if (!Coerce.IsNone(fill) && i >= items.Count % count)
            {
                slice.Add(fill!);
            }

            yield return new ListValue(slice);
        }
    }

    private static ListValue DictSort(Value?[] a)
    {
        string by = a[2] is null ? "key" : a[2] is StrValue name ? name.Text : "";
        if (by is not ("key" or "value"))
        {
            throw new TemplateError(ErrorKind.Raised, "You can only sort by either \"key\" or \"value\"");
        }

        DictValue dict = a[0] as DictValue ?? throw (a[0] is UndefinedValue undefined ? undefined.Failure() : TemplateError.Type($"'{a[0]!.TypeName}' object has no attribute 'items'"));
        var pairs = dict.Entries.Select(entry => (Value)new TupleValue([entry.Key, entry.Value])).ToList();
        int part = by == "key" ? 0 : 1;
        return new ListValue(StableSort.Sort(pairs, pair => Fold(((TupleValue)pair).Items[part], a[1]), Coerce.Flag(a[3])));
    }

    private static Value Last(Value value) => value.IterateReversed() is { } reversed
        ? reversed.FirstOrDefault() ?? new UndefinedValue("No last item, sequence was empty.")
        : throw TemplateError.Type($"'{value.TypeName}' object is not reversible");

    private static ListValue GroupBy(Value?[] a)
    {
        Func<Value, Value> path = Filters.Path(a[1], a[2]);
        Func<Value, Value> key = item => Fold(path(item), a[3]);
        var groups = new List<(Value Key, List<Value> Members)>();
        foreach (Value item in StableSort.Sort(Coerce.List(a[0]!), key, reverse: false))
        {
            Value current = key(item);
            if (groups.Count == 0 || !groups[^1].Key.PythonEquals(current))
            {
                groups.Add((current, []));
            }

            groups[^1].Members.Add(item);
        }

        return new ListValue([.. groups.Select(group => new GroupValue(Coerce.Truth(a[3]) ? group.Key : path(group.Members[0]), new ListValue(group.Members)))]);
    }

    private static IEnumerable<Value> Items(Value value)
    {
        if (value is UndefinedValue)
        {
            yield break;
        }

        DictValue dict = value as DictValue ?? throw TemplateError.Type("Can only get item pairs from a mapping.");
        foreach (KeyValuePair<Value, Value> entry in dict.Entries)
        {
            yield return new TupleValue([entry.Key, entry.Value]);
        }
    }

    private static StrValue Join(RenderState state, Value?[] a)
    {
        IEnumerable<Value> items = a[0]!.Iterate();
        if (!Coerce.IsNone(a[2]))
        {
            items = items.Select(Filters.Path(a[2]));
        }

        StrValue separator = a[1] is null ? StrValue.Empty : Coerce.Text(a[1]);
        bool markup = false;
        if (state.AutoEscape)
        {
            List<Value> list = [.. items];
            markup = separator.IsMarkup || list.Exists(item => item is StrValue { IsMarkup: true });
            items = list;
        }

        var output = new TextBuffer();
        bool first = true;
        foreach (Value item in items)
        {
            state.Budget.Step();
            if (!first)
            {
                output.Append(markup ? Markup.Escape(separator).Text : separator.Text);
            }

            first = false;
            if (markup)
            {
                output.Append(Markup.Escape(item).Text);
            }
            else
            {
                item.WriteStr(output);
            }
        }

        return new StrValue(output.ToString(), markup);
    }

    private static Value Extreme(Value?[] a, bool wantLess)
    {
        Func<Value, Value> path = Filters.Path(a[2]);
        Value? best = null;
        Value? bestKey = null;
        foreach (Value item in a[0]!.Iterate())
        {
            RenderBudget.Current.Step();
            Value key = Fold(path(item), a[1]);
            if (bestKey is null || Operators.Compare(wantLess ? "<" : ">", key, bestKey))
            {
                (best, bestKey) = (item, key);
            }
        }

        return best ?? new UndefinedValue("No aggregated item, sequence was empty.");
    }

    private static Value Random(Value value)
    {
        if (value.Length is not { } length)
        {
            throw TemplateError.Type($"object of type '{value.TypeName}' has no len()");
        }

        return length == 0
            ? new UndefinedValue("No random item, sequence was empty.")
            : value.TryGetItem(IntValue.Of(System.Random.Shared.Next(length)), out Value? item) ? item : throw TemplateError.Type($"'{value.TypeName}' object is not subscriptable");
    }

    private static Value Reverse(Value value)
    {
        if (value is StrValue text)
        {
            return text.GetSlice(new SliceBounds(null, null, -1));
        }

        if (value.IterateReversed() is { } reversed)
        {
            return new IteratorValue(value.TypeName + "_reverseiterator", reversed);
        }

        if (!value.IsIterable)
        {
            throw new TemplateError(ErrorKind.Raised, "argument must be iterable");
        }

        List<Value> items = Coerce.List(value);
        items.Reverse();
        return new ListValue(items);
    }

    private static ListValue Sort(Value?[] a)
    {
        Value?[] attributes = a[3] is StrValue text ? [.. text.Text.Split(',').Select(part => new StrValue(part))] : [a[3]];
        Func<Value, Value>[] paths = [.. attributes.Select(attribute => Filters.Path(attribute))];
        return new ListValue(StableSort.Sort(
            Coerce.List(a[0]!),
            item => new ListValue([.. paths.Select(path => Fold(path(item), a[2]))]),
            Coerce.Flag(a[1])));
    }

    private static Value Sum(Value?[] a)
    {
        Value total = a[2] ?? IntValue.Of(0);
        if (total is StrValue or BytesValue)
        {
            throw TemplateError.Type("sum() can't sum strings [use ''.join(seq) instead]");
        }

        Func<Value, Value> path = Filters.Path(a[1]);
        foreach (Value item in a[0]!.Iterate())
        {
            RenderBudget.Current.Step();
            total = Operators.Add(total, path(item));
        }

        return total;
    }

    private static IEnumerable<Value> Unique(Value?[] a)
    {
        Func<Value, Value> path = Filters.Path(a[2]);
        var seen = new HashSet<Value>(ValueComparer.Instance);
        foreach (Value item in a[0]!.Iterate())
        {
            RenderBudget.Current.Step();
            if (seen.Add(Fold(path(item), a[1])))
            {
                yield return item;
            }
        }
    }

    private static Value Fold(Value key, Value? caseSensitive) =>
        !Coerce.Truth(caseSensitive) && key is StrValue text ? new StrValue(CaseMapping.ToLower(text.Text)) : key;
}
