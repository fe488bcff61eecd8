using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Builtins;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>list and tuple. Nothing in the sandbox may change them, so they share their arrays freely.</summary>
internal abstract class SequenceValue(IReadOnlyList<Value> items) : Value
{
    public IReadOnlyList<Value> Items { get; } = items;

    public override bool IsTrue => Items.Count > 0;

    public override bool IsIterable => true;

    public override int? Length => Items.Count;

    public abstract SequenceValue With(IReadOnlyList<Value> items);

    public override IEnumerable<Value> Iterate() => Items;

    public override IEnumerable<Value>? IterateReversed()
    {
        for (int i = Items.Count - 1; i >= 0; i--)
        {
            yield return Items[i];
        }
    }

    public override bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value)
    {
        value = SliceBounds.TryIndex(key, Items.Count, out int index) ? Items[index] : null;
        return value is not null;
    }

    public override Value GetSlice(SliceBounds bounds)
    {
        (int first, int step, int count) = bounds.Resolve(Items.Count);
        RenderBudget.Current.Step(count);
        var picked = new Value[count];
        for (int i = 0; i < count; i++)
        {
            picked[i] = Items[first + (i * step)];
        }

        return With(picked);
    }

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value) => SequenceMethods.TryGet(this, name, out value);

    public override bool PythonEquals(Value other)
    {
        if (ReferenceEquals(this, other))
        {
            return true;
        }

        if (other is not SequenceValue sequence || sequence is ListValue != this is ListValue || sequence.Items.Count != Items.Count)
        {
            return false;
        }

        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        for (int i = 0; i < Items.Count; i++)
        {
            budget.Step();
            if (!ReferenceEquals(Items[i], sequence.Items[i]) && !Items[i].PythonEquals(sequence.Items[i]))
            {
                budget.Leave();
                return false;
            }
        }

        budget.Leave();
        return true;
    }

    protected void WriteItems(TextBuffer output)
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        for (int i = 0; i < Items.Count; i++)
        {
            budget.Step();
            if (i > 0)
            {
                output.Append(", ");
            }

            Items[i].WriteRepr(output);
        }

        budget.Leave();
    }
}

internal sealed class ListValue(IReadOnlyList<Value> items) : SequenceValue(items)
{
    private static readonly HashSet<string> Mutators = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];

    public override string TypeName => "list";

    public override bool IsHashable => false;

    public override SequenceValue With(IReadOnlyList<Value> items) => new ListValue(items);

    public override bool IsWithheld(string name) => Mutators.Contains(name) || base.IsWithheld(name);

    public override void WriteRepr(TextBuffer output)
    {
        output.Append('[');
        WriteItems(output);
        output.Append(']');
    }

    public override int PythonHash() => throw TemplateError.Type("unhashable type: 'list'");
}

internal class TupleValue(IReadOnlyList<Value> items) : SequenceValue(items)
{
    public override string TypeName => "tuple";

    public override bool IsHashable => Items.All(item => item.IsHashable);

    public override SequenceValue With(IReadOnlyList<Value> items) => new TupleValue(items);

    public override void WriteRepr(TextBuffer output)
    {
        output.Append('(');
        WriteItems(output);
        output.Append(Items.Count == 1 ? ",)" : ")");
    }

    public override int PythonHash()
    {
        RenderBudget budget = RenderBudget.Current;
        budget.Enter();
        var hash = new HashCode();
        foreach (Value item in Items)
        {
            budget.Step();
            hash.Add(item.PythonHash());
        }

        budget.Leave();
        return hash.ToHashCode();
    }
}

/// <summary>One group of the groupby filter: a tuple whose parts also have names.</summary>
internal sealed class GroupValue(Value grouper, ListValue members) : TupleValue([grouper, members])
{
    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch { "grouper" => Items[0], "list" => Items[1], _ => null };
        return value is not null || base.TryGetAttribute(name, out value);
    }
}
