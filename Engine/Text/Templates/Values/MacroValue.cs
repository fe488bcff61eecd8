using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>A macro, or the body of a call block, with the scope it was defined in.</summary>
internal sealed class MacroValue(MacroDefinition definition, Scope closure, bool escapes) : Value
{
    public override string TypeName => "Macro";

    public override bool IsCallable => true;

    public override Value Call(RenderState state, CallArguments arguments)
    {
        bool callerEscapes = state.AutoEscape;

        // Whether its text is escaped was settled where the macro was written, not where it is called.
        state.AutoEscape = escapes;
        Scope scope = BindArguments(state, arguments);
        state.Budget.Enter();
        var output = new TextBuffer();
        definition.Body.Execute(state, scope, output);
        state.Budget.Leave();
        state.AutoEscape = callerEscapes;
        return new StrValue(output.ToString(), state.AutoEscape);
    }

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value)
    {
        value = name switch
        {
            "name" => definition.Name is null ? NoneValue.Instance : new StrValue(definition.Name),
            "arguments" => new TupleValue([.. definition.Parameters.Select(parameter => new StrValue(parameter))]),
            "catch_kwargs" => BoolValue.Of(definition.UsesKwargs),
            "catch_varargs" => BoolValue.Of(definition.UsesVarargs),
            "caller" => BoolValue.Of(definition.UsesCaller),
            "explicit_caller" => BoolValue.Of(definition.Parameters.Contains("caller")),
            _ => null,
        };
        return value is not null;
    }

    public override void WriteRepr(TextBuffer output) => output.Append(definition.Name is null ? "<Macro anonymous>" : $"<Macro '{definition.Name}'>");

    private Scope BindArguments(RenderState state, CallArguments arguments)
    {
        var scope = new Scope(closure);
        Dictionary<string, Value> named = arguments.Named.ToDictionary(pair => pair.Key, pair => pair.Value);
        int taken = Math.Min(arguments.Positional.Length, definition.Parameters.Length);
        var values = new Value?[definition.Parameters.Length];
        Array.Copy(arguments.Positional, values, taken);
        for (int i = taken; i < values.Length; i++)
        {
            if (named.Remove(definition.Parameters[i], out Value? value))
            {
                values[i] = value;
            }
        }

        if (definition.UsesCaller && !definition.Parameters.Contains("caller"))
        {
            named.Remove("caller", out Value? caller);
            scope.Set("caller", caller is null or NoneValue ? new UndefinedValue("No caller defined") : caller);
        }

        if (definition.UsesKwargs)
        {
            var kwargs = new DictValue();
            foreach (KeyValuePair<string, Value> argument in arguments.Named.Where(argument => named.ContainsKey(argument.Key)))
            {
                kwargs.Set(new StrValue(argument.Key), argument.Value);
            }

            scope.Set("kwargs", kwargs);
        }
        else if (named.Count > 0)
        {
            throw TemplateError.Type($"macro '{definition.Name}' takes no keyword argument '{named.Keys.First()}'");
        }

        if (definition.UsesVarargs)
        {
            scope.Set("varargs", new TupleValue(arguments.Positional[taken..]));
        }
        else if (arguments.Positional.Length > values.Length)
        {
            throw TemplateError.Type($"macro '{definition.Name}' takes not more than {values.Length} argument(s)");
        }

        FillDefaults(state, scope, values);
        return scope;
    }

    // Defaults are evaluated at the call, in order: a later one may use an earlier argument.
    private void FillDefaults(RenderState state, Scope scope, Value?[] values)
    {
        int firstDefault = values.Length - definition.Defaults.Length;
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] is { } given)
            {
                scope.Set(definition.Parameters[i], given);
            }
        }

        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] is null)
            {
                Value value = i >= firstDefault
                    ? definition.Defaults[i - firstDefault].Evaluate(state, scope)
                    : new UndefinedValue($"parameter '{definition.Parameters[i]}' was not provided");
                scope.Set(definition.Parameters[i], value);
            }
        }
    }
}
