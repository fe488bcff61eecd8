using System.Runtime.InteropServices;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>How a row is sampled, as sampling.cu reads it.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal readonly struct SampleSetting(SampleRow row)
{
    public const int Bytes = 32;

    // IDE0052: read by the device.
#pragma warning disable IDE0052
    private readonly float _inverseTemperature = row.Parameters.Temperature > 0 ? 1 / row.Parameters.Temperature : 0;
    private readonly float _topP = row.Parameters.TopP;
    private readonly float _minP = row.Parameters.MinP;
    private readonly int _topK = row.Parameters.TopK;
    private readonly ulong _seed = row.Seed;
    private readonly int _position = row.OutputPosition;
    private readonly int _logprobs = row.Parameters.Logprobs ?? -1;
#pragma warning restore IDE0052

    /// <summary>Whether anything changes the logits of a row before it is sampled.</summary>
    public static bool Edits(SampleRow row) => row.BannedTokens.Length > 0 || row.Parameters.LogitBias is { Count: > 0 };

    /// <summary>Whether the row's own tokens change its logits.</summary>
    public static bool Penalises(SamplingParameters p) => p.RepetitionPenalty != 1 || p.PresencePenalty != 0 || p.FrequencyPenalty != 0;
}
