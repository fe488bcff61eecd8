using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

internal sealed class TextStatement(string text, int line) : Statement(line)
{
    public string Text => text;

    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        output.Append(text);
        return Flow.Next;
    }
}

internal sealed class PrintStatement(Expression value, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        Value printed = value.Evaluate(state, scope);
        if (state.AutoEscape)
        {
            output.Append(Markup.Escape(printed).Text);
        }
        else
        {
            printed.WriteStr(output);
        }

        return Flow.Next;
    }
}

internal sealed class IfStatement(KeyValuePair<Expression, Body>[] branches, Body otherwise, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        foreach (KeyValuePair<Expression, Body> branch in branches)
        {
            if (branch.Key.Evaluate(state, scope).IsTrue)
            {
                return branch.Value.Execute(state, scope, output);
            }
        }

        return otherwise.Execute(state, scope, output);
    }
}

internal sealed class SetStatement(Target target, Expression value, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        target.Assign(state, scope, value.Evaluate(state, scope));
        return Flow.Next;
    }
}

internal sealed class SetBlockStatement(Target target, FilterExpression? filter, Body body, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        Value value = body.Capture(state, scope, out Flow flow);
        if (flow == Flow.Next)
        {
            target.Assign(state, scope, filter is null ? value : filter.Apply(state, scope, value));
        }

        return flow;
    }
}

internal sealed class FilterBlockStatement(FilterExpression filter, Body body, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        Value value = body.Capture(state, scope, out Flow flow);
        if (flow == Flow.Next)
        {
            filter.Apply(state, scope, value).WriteStr(output);
        }

        return flow;
    }
}

internal sealed class WithStatement(KeyValuePair<Target, Expression>[] assignments, Body body, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        var inner = new Scope(scope);
        foreach (KeyValuePair<Target, Expression> assignment in assignments)
        {
            assignment.Key.Assign(state, inner, assignment.Value.Evaluate(state, scope));
        }

        return body.Execute(state, inner, output);
    }
}

internal sealed class MacroStatement(MacroDefinition definition, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        scope.Set(definition.Name!, new MacroValue(definition, scope, state.AutoEscape));
        return Flow.Next;
    }
}

internal sealed class CallBlockStatement(CallExpression call, MacroDefinition body, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        call.Invoke(state, scope, new MacroValue(body, scope, state.AutoEscape)).WriteStr(output);
        return Flow.Next;
    }
}

/// <summary>HuggingFace's {% generation %}: marks what the model wrote; the text itself passes through.</summary>
internal sealed class GenerationStatement(MacroDefinition body, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        new MacroValue(body, scope, state.AutoEscape).Call(state, CallArguments.None).WriteStr(output);
        return Flow.Next;
    }
}

internal sealed class AutoEscapeStatement(Expression enabled, Body body, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        bool outer = state.AutoEscape;
        state.AutoEscape = enabled.Evaluate(state, scope).IsTrue;
        Flow flow = body.Execute(state, new Scope(scope), output);
        state.AutoEscape = outer;
        return flow;
    }
}

internal sealed class BlockStatement(string name, bool scoped, bool required, Body body, int line) : Statement(line)
{
    public string Name => name;

    public override Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        Render(state, scoped ? scope : state.Root, output);
        return Flow.Next;
    }

    public void Render(RenderState state, Scope scope, TextBuffer output)
    {
        if (required)
        {
            throw new TemplateError(ErrorKind.Raised, $"Required block '{name}' not found");
        }

        state.Budget.Enter();
        body.Execute(state, new Scope(scope), output);
        state.Budget.Leave();
    }
}

/// <summary>break and continue.</summary>
internal sealed class JumpStatement(Flow flow, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output) => flow;
}

/// <summary>include, import and extends: a chat template stands alone, so reaching one is an error, as in the reference.</summary>
internal sealed class LoadStatement(string tag, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output) =>
        throw TemplateError.Type($"no loader for this environment specified: '{tag}' needs other templates, and a chat template stands alone");
}
