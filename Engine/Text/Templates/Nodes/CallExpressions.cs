using Fastgen.Engine.Text.Templates.Builtins;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>The arguments written at a call, filter or test.</summary>
internal sealed class ArgumentList(Expression[] positional, KeyValuePair<string, Expression>[] named, Expression? spread, Expression? namedSpread)
{
    public IEnumerable<Expression> Parts => positional.Concat(named.Select(argument => argument.Value)).Concat(new[] { spread, namedSpread }.OfType<Expression>());

    public CallArguments Evaluate(RenderState state, Scope scope, Value? caller = null)
    {
        if (positional.Length == 0 && named.Length == 0 && spread is null && namedSpread is null && caller is null)
        {
            return CallArguments.None;
        }

        var values = new List<Value>(positional.Length);
        foreach (Expression argument in positional)
        {
            values.Add(argument.Evaluate(state, scope));
        }

        if (spread is not null)
        {
            values.AddRange(spread.Evaluate(state, scope).Iterate());
        }

        var names = new List<KeyValuePair<string, Value>>(named.Length);
        foreach (KeyValuePair<string, Expression> argument in named)
        {
            names.Add(new(argument.Key, argument.Value.Evaluate(state, scope)));
        }

        if (caller is not null)
        {
            names.Add(new("caller", caller));
        }

        if (namedSpread is not null)
        {
            AddSpread(namedSpread.Evaluate(state, scope), names);
        }

        return new CallArguments([.. values], names);
    }

    private static void AddSpread(Value value, List<KeyValuePair<string, Value>> names)
    {
        if (value is not DictValue dict)
        {
            throw value is UndefinedValue undefined ? undefined.Failure() : TemplateError.Type($"argument after ** must be a mapping, not {value.TypeName}");
        }

        foreach (KeyValuePair<Value, Value> entry in dict.Entries)
        {
            string key = entry.Key is StrValue text ? text.Text : throw TemplateError.Type("keywords must be strings");
            if (names.Exists(argument => argument.Key == key))
            {
                throw TemplateError.Type($"got multiple values for keyword argument '{key}'");
            }

            names.Add(new(key, entry.Value));
        }
    }
}

internal sealed class CallExpression(Expression target, ArgumentList arguments, int line) : Expression(line)
{
    public override IEnumerable<Expression> Parts => arguments.Parts.Prepend(target);

    public override Value Evaluate(RenderState state, Scope scope) => Invoke(state, scope, null);

    public Value Invoke(RenderState state, Scope scope, Value? caller)
    {
        state.Budget.Step();
        Value function = target.Evaluate(state, scope);
        CallArguments values = arguments.Evaluate(state, scope, caller);
        state.Budget.Enter();
        Value result = function.Call(state, values);
        state.Budget.Leave();
        return result;
    }
}

internal sealed class FilterExpression(Expression? subject, string name, ArgumentList arguments, int line) : Expression(line)
{
    public string Name => name;

    public override IEnumerable<Expression> Parts => subject is null ? arguments.Parts : arguments.Parts.Prepend(subject);

    public override Value Evaluate(RenderState state, Scope scope) => Apply(state, scope, null);

    /// <summary>Applies to the text of a block where the innermost subject is left open.</summary>
    public Value Apply(RenderState state, Scope scope, Value? block)
    {
        state.Budget.Step();
        Value value = subject switch
        {
            null => block!,
            FilterExpression filter when block is not null => filter.Apply(state, scope, block),
            _ => subject.Evaluate(state, scope),
        };
        return Filters.Get(name).Apply(state, value, arguments.Evaluate(state, scope));
    }
}

internal sealed class TestExpression(Expression subject, string name, ArgumentList arguments, int line) : Expression(line)
{
    public string Name => name;

    public override IEnumerable<Expression> Parts => arguments.Parts.Prepend(subject);

    public override Value Evaluate(RenderState state, Scope scope)
    {
        Value value = subject.Evaluate(state, scope);
        return Tests.Get(name).Apply(state, value, arguments.Evaluate(state, scope));
    }
}
