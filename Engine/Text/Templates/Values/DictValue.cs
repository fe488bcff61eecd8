using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Builtins;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>dict, in insertion order. Templates cannot change one; only its builder does.</summary>
internal sealed class DictValue : Value
{
    private static readonly HashSet<string> Mutators = ["clear", "pop", "popitem", "setdefault", "update"];
    private readonly OrderedDictionary<Value, Value> _entries;

    public DictValue(int capacity = 0) => _entries = new OrderedDictionary<Value, Value>(capacity, ValueComparer.Instance);

    public override string TypeName => "dict";

    public override bool IsTrue => _entries.Count > 0;

    public override bool IsHashable => false;

    public override bool IsIterable => true;

    public override int? Length => _entries.Count;

    public IReadOnlyList<KeyValuePair<Value, Value>> Entries => _entries;

    /// <summary>Adds or replaces; a replaced key keeps its place, as in Python.</summary>
    public void Set(Value key, Value value) => _entries[key] = value;

    public bool TryGet(Value key, [NotNullWhen(true)] out Value? value) => _entries.TryGetValue(key, out value);

    public override IEnumerable<Value> Iterate() => _entries.Keys;

    public override IEnumerable<Value>? IterateReversed() => _entries.Keys.Reverse();

    public override bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value)
    {
        value = null;
        return key.IsHashable && _entries.TryGetValue(key, out value);
    }

    public override Value GetSlice(SliceBounds bounds) => throw TemplateError.Type("unhashable type: 'slice'");

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value) => DictMethods.TryGet(this, name, out value);

    public override bool IsWithheld(string name) => Mutators.Contains(name) || base.IsWithheld(name);

    public override bool Contains(Value item) => _entries.ContainsKey(item);

    public override bool PythonEquals(Value other)
    {
        if (ReferenceEquals(this, other))
        {
            return true;
        }

        if (other is not DictValue dict || dict._entries.Count != _entries.Count)
        {
            return false;
        }

        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        bool equal = true;
        foreach (KeyValuePair<Value, Value> entry in _entries)
        {
            budget.Step();
            if (!dict._entries.TryGetValue(entry.Key, out Value? value) || !entry.Value.PythonEquals(value))
            {
                equal = false;
                break;
            }
        }

        budget.Leave();
        return equal;
    }

    public override int PythonHash() => throw TemplateError.Type("unhashable type: 'dict'");

    public override void WriteRepr(TextBuffer output)
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        output.Append('{');
        bool first = true;
        foreach (KeyValuePair<Value, Value> entry in _entries)
        {
            budget.Step();
            output.Append(first ? "" : ", ");
            first = false;
            entry.Key.WriteRepr(output);
            output.Append(": ");
            entry.Value.WriteRepr(output);
        }

        output.Append('}');
        budget.Leave();
    }
}

/// <summary>Python's equality and hashing for dictionary keys.</summary>
internal sealed class ValueComparer : IEqualityComparer<Value>
{
    public static readonly ValueComparer Instance = new();

    public bool Equals(Value? x, Value? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.PythonEquals(y));

    public int GetHashCode(Value obj) => obj.PythonHash();
}

/// <summary>dict.keys(), dict.values() and dict.items().</summary>
internal sealed class DictView(string kind, DictValue dict, Func<KeyValuePair<Value, Value>, Value> pick) : Value
{
    public override string TypeName => "dict_" + kind;

    public override bool IsTrue => dict.IsTrue;

    public override bool IsIterable => true;

    public override int? Length => dict.Length;

    public override bool IsHashable => kind == "values";

    /// <summary>keys() and items() compare as sets.</summary>
    public bool IsSet => kind != "values";

    public override IEnumerable<Value> Iterate() => dict.Entries.Select(pick);

    public override IEnumerable<Value>? IterateReversed() => dict.Entries.Reverse().Select(pick);

    public override bool Contains(Value item) => kind == "keys" ? dict.Contains(item) : base.Contains(item);

    public override bool PythonEquals(Value other)
    {
        if (kind == "values" || other is not DictView view || view.TypeName == "dict_values" || view.Length != Length)
        {
            return ReferenceEquals(this, other);
        }

        return Iterate().All(view.Contains);
    }

    public override void WriteRepr(TextBuffer output)
    {
        output.Append(TypeName).Append('(');
        new ListValue([.. Iterate()]).WriteRepr(output);
        output.Append(')');
    }
}
