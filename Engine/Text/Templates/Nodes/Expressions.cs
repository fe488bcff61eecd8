using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

internal sealed class ConstantExpression(Value value, int line) : Expression(line)
{
    public override Value Evaluate(RenderState state, Scope scope) => value;
}

internal sealed class NameExpression(string name, int line) : Expression(line)
{
    public string Name { get; } = name;

    public override Value Evaluate(RenderState state, Scope scope) =>
        scope.Find(Name) ?? state.FindVariable(Name) ?? UndefinedValue.Name(Name);
}

internal enum SequenceKind
{
    List,
    Tuple,
}

internal sealed class SequenceExpression(SequenceKind kind, Expression[] items, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => items;

    public SequenceKind Kind => kind;

    public Expression[] Items => items;

    public override Value Evaluate(RenderState state, Scope scope)
    {
        var values = new Value[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            values[i] = items[i].Evaluate(state, scope);
        }

        return kind == SequenceKind.List ? new ListValue(values) : new TupleValue(values);
    }
}

internal sealed class DictExpression(KeyValuePair<Expression, Expression>[] entries, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => entries.SelectMany(entry => new[] { entry.Key, entry.Value });

    public override Value Evaluate(RenderState state, Scope scope)
    {
        var dict = new DictValue(entries.Length);
        foreach (KeyValuePair<Expression, Expression> entry in entries)
        {
            Value key = entry.Key.Evaluate(state, scope);
            dict.Set(key, entry.Value.Evaluate(state, scope));
        }

        return dict;
    }
}

internal sealed class UnaryExpression(char sign, Expression operand, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => [operand];

    public override Value Evaluate(RenderState state, Scope scope) => Operators.Unary(sign, operand.Evaluate(state, scope));
}

internal sealed class NotExpression(Expression operand, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => [operand];

    public override Value Evaluate(RenderState state, Scope scope) => BoolValue.Of(!operand.Evaluate(state, scope).IsTrue);
}

internal sealed class BinaryExpression(string symbol, Expression left, Expression right, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => [left, right];

    public override Value Evaluate(RenderState state, Scope scope)
    {
        Value a = left.Evaluate(state, scope);
        return Operators.Binary(symbol, a, right.Evaluate(state, scope));
    }
}

/// <summary>a ** b.</summary>
/// <remarks>
/// The reference folds constants and prints them without brackets into the code it makes, so that -2 ** x with
/// a variable x becomes -(2 ** x), while -2 ** 2 stays (-2) ** 2. Templates are written against what it does.
/// </remarks>
internal sealed class PowerExpression(Expression left, Expression right, int line) : Expression(line)
{
    private readonly bool _signStaysOutside = Literals.IsLiteral(left) && !Literals.IsLiteral(right);

    public override IEnumerable<Expression> Parts => [left, right];

    public override Value Evaluate(RenderState state, Scope scope)
    {
        Value a = left.Evaluate(state, scope);
        Value b = right.Evaluate(state, scope);
        bool flip = _signStaysOutside && a is NumberValue number && (number.IsInteger ? number.Integer.Sign < 0 : double.IsNegative(number.Double));
        return flip ? Operators.Unary('-', Operators.Binary("**", Operators.Unary('-', a), b)) : Operators.Binary("**", a, b);
    }

}

/// <summary>Which expressions the reference computes while compiling.</summary>
internal static class Literals
{
    public static bool IsLiteral(Expression expression) => expression switch
    {
        ConstantExpression => true,
        UnaryExpression or BinaryExpression or PowerExpression or SequenceExpression or DictExpression or SliceExpression => expression.Parts.All(IsLiteral),
        _ => false,
    };
}

/// <summary>"and" and "or", which return one of their operands.</summary>
internal sealed class LogicExpression(bool isAnd, Expression left, Expression right, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => [left, right];

    public override Value Evaluate(RenderState state, Scope scope)
    {
        Value first = left.Evaluate(state, scope);
        return first.IsTrue == isAnd ? right.Evaluate(state, scope) : first;
    }
}

/// <summary>a &lt; b &lt;= c: each operand evaluated at most once.</summary>
internal sealed class CompareExpression(Expression first, KeyValuePair<string, Expression>[] rest, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => rest.Select(step => step.Value).Prepend(first);

    public override Value Evaluate(RenderState state, Scope scope)
    {
        Value left = first.Evaluate(state, scope);
        foreach (KeyValuePair<string, Expression> step in rest)
        {
            Value right = step.Value.Evaluate(state, scope);
            if (!Operators.Compare(step.Key, left, right))
            {
                return BoolValue.False;
            }

            left = right;
        }

        return BoolValue.True;
    }
}

/// <summary>a ~ b ~ c.</summary>
internal sealed class ConcatExpression(Expression[] parts, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => parts;

    public override Value Evaluate(RenderState state, Scope scope)
    {
        var values = new Value[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            values[i] = parts[i].Evaluate(state, scope);
        }

        bool markup = state.AutoEscape && values.Any(value => value is StrValue { IsMarkup: true });
        var output = new TextBuffer();
        foreach (Value value in values)
        {
            if (markup)
            {
                output.Append(Markup.Escape(value).Text);
            }
            else
            {
                value.WriteStr(output);
            }
        }

        return new StrValue(output.ToString(), markup);
    }
}

/// <summary>value if condition else other; without else an undefined.</summary>
internal sealed class ConditionalExpression(Expression condition, Expression value, Expression? otherwise, int line) : Expression(line)
{
    public Expression Condition => condition;

    public Expression WhenTrue => value;

    public Expression? WhenFalse => otherwise;

    public override IEnumerable<Expression> Parts => otherwise is null ? [condition, value] : [condition, value, otherwise];

    public override Value Evaluate(RenderState state, Scope scope)
    {
        if (condition.Evaluate(state, scope).IsTrue)
        {
            return value.Evaluate(state, scope);
        }

        return otherwise?.Evaluate(state, scope)
            ?? new UndefinedValue("the inline if-expression evaluated to false and no else section was defined.");
    }
}

internal sealed class AttributeExpression(Expression owner, string name, int line) : Expression(line)
{
    private readonly StrValue _name = new(name);

    public override IEnumerable<Expression> Parts => [owner];

    public override Value Evaluate(RenderState state, Scope scope) => Access.Attribute(owner.Evaluate(state, scope), _name);
}

internal sealed class ItemExpression(Expression owner, Expression key, int line) : Expression(line)
{
    private readonly bool _isLiteral = Literals.IsLiteral(owner) && Literals.IsLiteral(key);

    public override IEnumerable<Expression> Parts => [owner, key];

    public override Value Evaluate(RenderState state, Scope scope)
    {
        Value target = owner.Evaluate(state, scope);
        if (key is not SliceExpression slice)
        {
            return Access.Item(target, key.Evaluate(state, scope));
        }

        try
        {
            return target.GetSlice(slice.Bounds(state, scope));
        }
        catch (TemplateError e) when (_isLiteral && e.Kind == ErrorKind.Type)
        {
            // The reference looks constants up while compiling, where a slice that cannot be taken is undefined.
            return new UndefinedValue(e.Message);
        }
    }
}

/// <summary>start:stop:step, only inside brackets.</summary>
internal sealed class SliceExpression(Expression? start, Expression? stop, Expression? step, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => new[] { start, stop, step }.OfType<Expression>();

    public SliceBounds Bounds(RenderState state, Scope scope)
    {
        Value from = start?.Evaluate(state, scope) ?? NoneValue.Instance;
        Value to = stop?.Evaluate(state, scope) ?? NoneValue.Instance;
        return SliceBounds.From(from, to, step?.Evaluate(state, scope) ?? NoneValue.Instance);
    }

    // Inside a tuple index the slice object itself is the key, and no value here takes one.
    public override Value Evaluate(RenderState state, Scope scope) => throw TemplateError.Type("indices must not mix slices and commas");
}
