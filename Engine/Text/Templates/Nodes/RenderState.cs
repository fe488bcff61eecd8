using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Nodes;

/// <summary>Everything that one rendering shares: variables passed in, limits, clock, and where it is.</summary>
internal sealed class RenderState(IReadOnlyDictionary<string, Value> variables, RenderBudget budget, DateTimeOffset now)
{
    public RenderBudget Budget { get; } = budget;

    public DateTimeOffset Now { get; } = now;

    /// <summary>Line being executed, for messages.</summary>
    public int Line { get; set; }

    /// <summary>Inside {% autoescape true %}.</summary>
    public bool AutoEscape { get; set; }

    /// <summary>Top-level scope, where blocks look names up.</summary>
    public Scope Root { get; } = new(null);

    public IReadOnlyDictionary<string, BlockStatement> Blocks { get; init; } = new Dictionary<string, BlockStatement>();

    public Value? FindVariable(string name) => variables.TryGetValue(name, out Value? value) || Builtins.Globals.All.TryGetValue(name, out value) ? value : null;
}
