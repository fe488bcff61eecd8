namespace Fastgen.Engine.Model.Architectures;

/// <summary>Which linear layers add a bias.</summary>
internal readonly record struct LinearBiases(bool Qkv, bool AttentionOutput, bool Mlp);
