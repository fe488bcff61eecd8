using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>A value of the template language, behaving as the Python object that the reference would hold.</summary>
internal abstract class Value
{
    /// <summary>Python's name of the type, for messages.</summary>
    public abstract string TypeName { get; }

    public virtual bool IsTrue => true;

    public virtual bool IsCallable => false;

    public virtual bool IsHashable => true;

    /// <summary>True when Python could ask for an iterator; <see cref="Iterate"/> may then be called.</summary>
    public virtual bool IsIterable => false;

    /// <summary>len(), or null where Python has none.</summary>
    public virtual int? Length => null;

    /// <summary>Writes repr().</summary>
    public abstract void WriteRepr(TextBuffer output);

    /// <summary>Writes str(), which most types leave to repr().</summary>
    public virtual void WriteStr(TextBuffer output) => WriteRepr(output);

    public virtual string Str()
    {
        var buffer = new TextBuffer();
        WriteStr(buffer);
        return buffer.ToString();
    }

    public virtual string Repr()
    {
        var buffer = new TextBuffer();
        WriteRepr(buffer);
        return buffer.ToString();
    }

    public virtual IEnumerable<Value> Iterate() => throw TemplateError.Type($"'{TypeName}' object is not iterable");

    /// <summary>reversed(), or null where Python has none.</summary>
    public virtual IEnumerable<Value>? IterateReversed() => null;

    /// <summary>obj.name without the sandbox; false where Python raises AttributeError.</summary>
    public virtual bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = null;
        return false;
    }

    /// <summary>obj[key]; false where Python raises TypeError or LookupError.</summary>
    public virtual bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value)
    {
        value = null;
        return false;
    }

    /// <summary>obj[start:stop:step]; Python's None stands for a part left out.</summary>
    public virtual Value GetSlice(SliceBounds bounds) => throw TemplateError.Type($"'{TypeName}' object is not subscriptable");

    public virtual Value Call(RenderState state, CallArguments arguments) => throw TemplateError.Type($"'{TypeName}' object is not callable");

    /// <summary>True for names that exist on the Python object but that the sandbox withholds: they read as an undefined that raises SecurityError.</summary>
    public virtual bool IsWithheld(string name) => PythonNames.IsObjectDunder(name);

    /// <summary>Python's ==.</summary>
    public virtual bool PythonEquals(Value other) => ReferenceEquals(this, other);

    public virtual int PythonHash() => !IsHashable ? throw TemplateError.Type($"unhashable type: '{TypeName}'") : System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    /// <summary>Python's "item in this".</summary>
    public virtual bool Contains(Value item)
    {
        if (!IsIterable)
        {
            throw TemplateError.Type($"argument of type '{TypeName}' is not iterable");
        }

        foreach (Value element in Iterate())
        {
            RenderBudget.Current.Step();
            if (ReferenceEquals(element, item) || element.PythonEquals(item))
            {
                return true;
            }
        }

        return false;
    }

    public override string ToString() => TypeName;
}
