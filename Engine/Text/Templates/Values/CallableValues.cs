using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>A function of ours that templates may call.</summary>
internal sealed class BuiltinFunction(string name, Func<RenderState, CallArguments, Value> body, string typeName = "builtin_function_or_method") : Value
{
    public string Name { get; } = name;

    public override string TypeName => typeName;

    public override bool IsCallable => true;

    public override Value Call(RenderState state, CallArguments arguments) => body(state, arguments);

    public override void WriteRepr(TextBuffer output) =>
        output.Append(typeName == "type" ? $"<class '{Name}'>" : typeName == "function" ? $"<function {Name} at 0x0>" : $"<built-in method {Name}>");

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = Name == "dict" && name == "fromkeys" ? new BuiltinFunction("fromkeys", (_, arguments) => Builtins.DictMethods.FromKeys(arguments)) : null;
        return value is not null;
    }
}

/// <summary>namespace(): the one thing that a template may change.</summary>
internal sealed class NamespaceValue(DictValue attributes) : Value
{
    public override string TypeName => "Namespace";

    public void Set(string name, Value value) => attributes.Set(new StrValue(name), value);

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value) => attributes.TryGet(new StrValue(name), out value);

    public override void WriteRepr(TextBuffer output)
    {
        output.Append("<Namespace ");
        attributes.WriteRepr(output);
        output.Append('>');
    }
}

/// <summary>cycler(): hands out its items round and round.</summary>
internal sealed class CyclerValue(Value[] items) : Value
{
    private int _position;

    public override string TypeName => "Cycler";

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "current" => items[_position],
            "pos" => IntValue.Of(_position),
            "items" => new TupleValue(items),
            "next" => new BuiltinFunction(name, (_, _) => Next(), "method"),
            "reset" => new BuiltinFunction(name, (_, _) => Reset(), "method"),
            _ => null,
        };
        return value is not null;
    }

    public override void WriteRepr(TextBuffer output) => output.Append("<jinja2.utils.Cycler object at 0x0>");

    private Value Next()
    {
        Value current = items[_position];
        _position = (_position + 1) % items.Length;
        return current;
    }

    private NoneValue Reset()
    {
        _position = 0;
        return NoneValue.Instance;
    }
}

/// <summary>joiner(): nothing on its first call, the separator on every later one.</summary>
internal sealed class JoinerValue(Value separator) : Value
{
    private bool _used;

    public override string TypeName => "Joiner";

    public override bool IsCallable => true;

    public override Value Call(RenderState state, CallArguments arguments)
    {
        if (arguments.Count > 0)
        {
            throw TemplateError.Type("Joiner.__call__() takes no arguments");
        }

        bool first = !_used;
        _used = true;
        return first ? StrValue.Empty : separator;
    }

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch { "sep" => separator, "used" => BoolValue.Of(_used), _ => null };
        return value is not null;
    }

    public override void WriteRepr(TextBuffer output) => output.Append("<jinja2.utils.Joiner object at 0x0>");
}
