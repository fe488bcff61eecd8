using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

internal sealed class ForStatement(Target target, Expression items, Expression? condition, bool recursive, Body body, Body otherwise, int line) : Statement(line)
{
    public override Flow Execute(RenderState state, Scope scope, TextBuffer output) =>
        Run(state, scope, output, items.Evaluate(state, scope), 0);

    private Flow Run(RenderState state, Scope scope, TextBuffer output, Value source, int depth)
    {
        bool any = false;
        LoopValue loop = CreateLoop(state, scope, source, depth);
        while (loop.Advance() is { } item)
        {
            any = true;
            state.Budget.Step();

            // A scope for each turn: what one turn sets is gone in the next.
            var inner = new Scope(scope);
            inner.Set("loop", loop);
            target.Assign(state, inner, item);
            if (body.Execute(state, inner, output) == Flow.Break)
            {
                break;
            }
        }

        return any ? Flow.Next : otherwise.Execute(state, new Scope(scope), output);
    }

    private LoopValue CreateLoop(RenderState state, Scope scope, Value source, int depth)
    {
        Func<Value, int, Value>? recurse = recursive ? (value, level) => Recurse(state, scope, value, level) : null;
        return condition is null
            ? new LoopValue(source, source.Iterate(), depth, recurse)
            : new LoopValue(null, Filtered(state, scope, source), depth, recurse);
    }

    private IEnumerable<Value> Filtered(RenderState state, Scope scope, Value source)
    {
        foreach (Value item in source.Iterate())
        {
            state.Budget.Step();
            var inner = new Scope(scope);
            target.Assign(state, inner, item);
            if (condition!.Evaluate(state, inner).IsTrue)
            {
                yield return item;
            }
        }
    }

    private StrValue Recurse(RenderState state, Scope scope, Value source, int depth)
    {
        state.Budget.Enter();
        var output = new TextBuffer();
        Run(state, scope, output, source, depth);
        state.Budget.Leave();
        return new StrValue(output.ToString(), state.AutoEscape);
    }
}
