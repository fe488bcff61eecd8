namespace Fastgen.Engine.Model;

/// <summary>Function on the gate of a gated feed-forward layer (config.json <c>hidden_act</c>, Gemma: <c>hidden_activation</c>).</summary>
internal enum Activation
{
    /// <summary>x × sigmoid(x).</summary>
    Silu,

    /// <summary>x × Φ(x), where Φ is the normal distribution.</summary>
    Gelu,

    /// <summary>The tanh form of GELU: x × (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,
}
