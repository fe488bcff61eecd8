using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>The variable "loop" of a for statement, and the loop's own iteration: it looks one item ahead only when asked.</summary>
internal sealed class LoopValue(Value? sized, IEnumerable<Value> items, int depth0, Func<Value, int, Value>? recurse) : Value
{
    private IEnumerator<Value> _source = items.GetEnumerator();
    private int _index0 = -1;
    private int? _length;
    private Value? _after;
    private Value? _current;
    private Value? _before;
    private TupleValue? _lastChanged;

    public override string TypeName => "LoopContext";

    public override bool IsCallable => true;

    public override bool IsIterable => true;

    public override int? Length => Total();

    /// <summary>The next item, or null at the end.</summary>
    public Value? Advance()
    {
        Value? next = _after ?? Pull();
        _after = null;
        if (next is not null)
        {
            _index0++;
            _before = _current;
            _current = next;
        }

        return next;
    }

    public override IEnumerable<Value> Iterate()
    {
        while (Advance() is { } item)
        {
            yield return new TupleValue([item, this]);
        }
    }

    public override Value Call(RenderState state, CallArguments arguments)
    {
        if (recurse is null)
        {
            throw TemplateError.Type("The loop must have the 'recursive' marker to be called recursively.");
        }

        Value?[] bound = arguments.Bind("loop", "iterable");
        return recurse(bound[0]!, depth0 + 1);
    }

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "index" => IntValue.Of(_index0 + 1),
            "index0" => IntValue.Of(_index0),
            "first" => BoolValue.Of(_index0 == 0),
            "last" => BoolValue.Of(Peek() is null),
            "length" => IntValue.Of(Total()),
            "revindex" => IntValue.Of(Total() - _index0),
            "revindex0" => IntValue.Of(Total() - _index0 - 1),
            "depth" => IntValue.Of(depth0 + 1),
            "depth0" => IntValue.Of(depth0),
            "previtem" => _index0 == 0 || _before is null ? new UndefinedValue("there is no previous item") : _before,
            "nextitem" => Peek() ?? new UndefinedValue("there is no next item"),
            "cycle" => new BuiltinFunction(name, (_, arguments) => Cycle(arguments), "method"),
            "changed" => new BuiltinFunction(name, (_, arguments) => Changed(arguments), "method"),
            _ => null,
        };
        return value is not null;
    }

    public override void WriteRepr(TextBuffer output) => output.Append($"<LoopContext {_index0 + 1}/{Total()}>");

    private Value? Pull() => _source.MoveNext() ? _source.Current : null;

    private Value? Peek() => _after ??= Pull();

    private int Total()
    {
        if (_length is null)
        {
            if (sized?.Length is { } known)
            {
                _length = known;
            }
            else
            {
                var rest = new List<Value>();
                while (Pull() is { } item)
                {
                    RenderBudget.Current.Step();
                    rest.Add(item);
                }

                _source = rest.GetEnumerator();
                _length = rest.Count + _index0 + 1 + (_after is null ? 0 : 1);
            }
        }

        return _length.Value;
    }

    private Value Cycle(CallArguments arguments)
    {
        if (arguments.Positional.Length == 0 || arguments.Named.Count > 0)
        {
            throw TemplateError.Type("no items for cycling given");
        }

        return arguments.Positional[_index0 % arguments.Positional.Length];
    }

    private BoolValue Changed(CallArguments arguments)
    {
        var value = new TupleValue(arguments.Positional);
        if (_lastChanged is not null && _lastChanged.PythonEquals(value))
        {
            return BoolValue.False;
        }

        _lastChanged = value;
        return BoolValue.True;
    }
}
