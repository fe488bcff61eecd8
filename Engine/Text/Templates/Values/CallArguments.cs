namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>Arguments of one call: by position, then by name.</summary>
internal sealed class CallArguments(Value[] positional, IReadOnlyList<KeyValuePair<string, Value>> named)
{
    public static readonly CallArguments None = new([], []);

    public Value[] Positional { get; } = positional;

    public IReadOnlyList<KeyValuePair<string, Value>> Named { get; } = named;

    public int Count => Positional.Length + Named.Count;

    public Value? FindNamed(string name)
    {
        foreach (KeyValuePair<string, Value> argument in Named)
        {
            if (argument.Key == name)
            {
                return argument.Value;
            }
        }

        return null;
    }

    /// <summary>The same call without its first <paramref name="count"/> positional arguments.</summary>
    public CallArguments Skip(int count) => new(Positional[count..], Named);

    public Value?[] Bind(string function, string parameters) => new Signature(function, parameters).Bind(this);
}
