namespace Fastgen.Engine.Backends;

/// <summary>What attention of one layer does beyond its shape.</summary>
internal readonly record struct AttentionSettings
{
    /// <summary>Factor on the products of queries and keys.</summary>
    public required float Scale { get; init; }

    /// <summary>A query at position i sees keys j with i − window &lt; j ≤ i; null sees all j ≤ i.</summary>
    public int? Window { get; init; }

    /// <summary>Scaled products s become cap × tanh(s / cap); null leaves them.</summary>
    public float? SoftCap { get; init; }

    /// <summary>[1, heads] a score of each head that takes its share of the softmax and adds nothing; null where there are none.</summary>
    public DeviceTensor? Sinks { get; init; }
}
