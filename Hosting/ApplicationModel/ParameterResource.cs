namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value from outside: configuration, or a default.</summary>
public sealed class ParameterResource : Resource
{
    private readonly Func<string> _value;

    internal ParameterResource(string name, Func<string> value, bool secret)
        : base(name)
    {
        _value = value;
        Secret = secret;
    }

    /// <summary>Whether the value must not be shown.</summary>
    public bool Secret { get; }

    /// <summary>The value.</summary>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken) => new(_value());
}
