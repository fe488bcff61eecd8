namespace Fastgen.Engine.Backends;

/// <summary>The gated activation (clamp(up, ±Limit) + 1) × g × sigmoid(Alpha × g) with g = min(gate, Limit), which gpt-oss has.</summary>
/// <param name="Alpha">config.json <c>swiglu_alpha</c></param>
/// <param name="Limit">config.json <c>swiglu_limit</c></param>
internal readonly record struct ClampedGate(float Alpha, float Limit);
