using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>Something with a value.</summary>
internal abstract class Expression(int line)
{
    public int Line { get; } = line;

    /// <summary>The direct parts, for the checks made once after parsing.</summary>
    public virtual IEnumerable<Expression> Parts => [];

    public abstract Value Evaluate(RenderState state, Scope scope);
}

/// <summary>Something that is executed.</summary>
internal abstract class Statement(int line)
{
    public int Line { get; } = line;

    public abstract Flow Execute(RenderState state, Scope scope, TextBuffer output);
}

/// <summary>Statements in order.</summary>
internal sealed class Body(Statement[] statements)
{
    public Statement[] Statements { get; } = statements;

    public Flow Execute(RenderState state, Scope scope, TextBuffer output)
    {
        foreach (Statement statement in Statements)
        {
            state.Budget.Step();
            state.Line = statement.Line;
            Flow flow = statement.Execute(state, scope, output);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }

    /// <summary>Runs in a scope and buffer of its own and returns the text.</summary>
    public StrValue Capture(RenderState state, Scope scope, out Flow flow)
    {
        var buffer = new TextBuffer();
        flow = Execute(state, new Scope(scope), buffer);
        return new StrValue(buffer.ToString(), state.AutoEscape);
    }
}

/// <summary>What a macro or the body of a call block declares.</summary>
internal sealed record MacroDefinition(string? Name, string[] Parameters, Expression[] Defaults, Body Body)
{
    public bool UsesCaller { get; init; }

    public bool UsesKwargs { get; init; }

    public bool UsesVarargs { get; init; }
}
