using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>What an assignment or a loop writes to.</summary>
internal abstract class Target
{
    /// <summary>All plain names written.</summary>
    public abstract IEnumerable<string> Names { get; }

    public abstract void Assign(RenderState state, Scope scope, Value value);
}

internal sealed class NameTarget(string name) : Target
{
    public override IEnumerable<string> Names => [name];

    public override void Assign(RenderState state, Scope scope, Value value) => scope.Set(name, value);
}

internal sealed class NamespaceTarget(string name, string attribute) : Target
{
    public override IEnumerable<string> Names => [];

    public override void Assign(RenderState state, Scope scope, Value value)
    {
        if ((scope.Find(name) ?? state.FindVariable(name)) is not NamespaceValue target)
        {
            throw new TemplateError(ErrorKind.Raised, $"cannot assign attribute '{attribute}' on '{name}': only namespace() objects take attributes");
        }

        target.Set(attribute, value);
    }
}

internal sealed class TupleTarget(Target[] parts) : Target
{
    public override IEnumerable<string> Names => parts.SelectMany(part => part.Names);

    public override void Assign(RenderState state, Scope scope, Value value)
    {
        if (value is SequenceValue sequence && sequence.Items.Count == parts.Length)
        {
            for (int i = 0; i < parts.Length; i++)
            {
                parts[i].Assign(state, scope, sequence.Items[i]);
            }

            return;
        }

        var items = new List<Value>();
        foreach (Value item in value.Iterate())
        {
            items.Add(item);
            if (items.Count > parts.Length)
            {
                throw TemplateError.Value($"too many values to unpack (expected {parts.Length})");
            }
        }

        if (items.Count < parts.Length)
        {
            throw TemplateError.Value($"not enough values to unpack (expected {parts.Length}, got {items.Count})");
        }

        for (int i = 0; i < parts.Length; i++)
        {
            parts[i].Assign(state, scope, items[i]);
        }
    }
}
