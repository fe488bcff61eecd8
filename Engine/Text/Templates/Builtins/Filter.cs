using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>A filter or a test: a function of a subject and arguments.</summary>
internal sealed class Filter
{
    private readonly Signature? _signature;
    private readonly Func<RenderState, Value?[], Value>? _bound;
    private readonly Func<RenderState, Value, CallArguments, Value>? _raw;

    /// <summary>A filter with named parameters, the subject being the first.</summary>
    public Filter(string name, string parameters, Func<RenderState, Value?[], Value> body)
    {
        _signature = new Signature(name, parameters);
        _bound = body;
    }

    /// <summary>A filter that takes its arguments as they come.</summary>
    public Filter(Func<RenderState, Value, CallArguments, Value> body) => _raw = body;

    public Value Apply(RenderState state, Value subject, CallArguments arguments) =>
        _raw is not null ? _raw(state, subject, arguments) : _bound!(state, _signature!.Bind(subject, arguments));
}
