using Fastgen.Engine.Model.Architectures;

namespace Fastgen.Engine.Model;

/// <summary>Rotary position embedding as config.json describes it (<c>rope_theta</c> with <c>rope_scaling</c>, or <c>rope_parameters</c>).</summary>
internal sealed record RopeConfig
{
    public RopeType Type { get; init; }

    /// <summary>Base of the frequencies.</summary>
    public double Theta { get; init; } = 10_000;

    /// <summary>Share of a head's dimensions that turns, from the first on.</summary>
    public double PartialFactor { get; init; } = 1;

    /// <summary>How many times longer contexts become: linear, dynamic, yarn, longrope, llama3.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Context of the training before extension: yarn, longrope, llama3.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>llama3.</summary>
    public double LowFrequencyFactor { get; init; }

    /// <summary>llama3.</summary>
    public double HighFrequencyFactor { get; init; }

    /// <summary>yarn, longrope: factor on cosine and sine; null derives it from <see cref="Factor"/>.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>yarn.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>yarn.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>yarn.</summary>
    public double? Mscale { get; init; }

    /// <summary>yarn.</summary>
    public double? MscaleAllDim { get; init; }

    /// <summary>yarn: rounds the correction range to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>longrope: [dimension pairs] divisors of the frequencies up to <see cref="OriginalMaxPositions"/> tokens.</summary>
    public IReadOnlyList<double> ShortFactors { get; init; } = [];

    /// <summary>longrope: [dimension pairs] divisors of the frequencies of longer sequences.</summary>
    public IReadOnlyList<double> LongFactors { get; init; } = [];

    /// <summary>Queries are multiplied by 1 + this × ln(1 + ⌊position / <see cref="OriginalMaxPositions"/>⌋).</summary>
    public double QueryScalingBeta { get; init; }

    /// <summary>Factor that latent attention puts on its products of queries and keys (yarn with <c>mscale_all_dim</c>).</summary>
    public double LatentScale => MscaleAllDim is { } mscale and not 0 && Factor > 1 ? Math.Pow((0.1 * mscale * Math.Log(Factor)) + 1, 2) : 1;

    /// <summary>Dimensions of a head that turn.</summary>
    public int RotaryDim(int headDim) => (int)(headDim * PartialFactor);

    /// <summary>Reads all styles of config.json.</summary>
    /// <returns>For layers that see all, and for layers with a window.</returns>
    /// <exception cref="ModelLoadException">An unsupported type, or a parameter that its type needs is absent or out of range.</exception>
    public static (RopeConfig Full, RopeConfig Local) Read(ConfigJson config, RopeRules rules, double defaultTheta, int headDim, int maxPositions)
    {
        var reader = new RopeReader(config, rules, headDim, maxPositions);
        if (rules.ByLayerType)
        {
            return reader.ReadByLayerType(defaultTheta);
        }

        var rope = reader.ReadShared(defaultTheta);
        return (rope, rope);
    }
}
