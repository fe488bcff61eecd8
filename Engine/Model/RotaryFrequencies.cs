namespace Fastgen.Engine.Model;

/// <summary>Angles of the rotary position embedding: dimension pair i of position p turns by p × InverseFrequencies[i].</summary>
/// <remarks>Su et al. 2021; linear: Chen et al. 2023; dynamic NTK and yarn: Peng et al. 2023; longrope: Ding et al. 2024; llama3:
/// Llama 3.1's published scaling. Frequencies are rounded to float32 before they meet a position, as the reference implementation does.
/// Two types change the frequencies of all positions when the sequence grows past a length: dynamic with each token, longrope once.
/// <see cref="Regime"/> tells when, and whoever runs a sequence computes it anew then.</remarks>
internal sealed class RotaryFrequencies
{
    private readonly RopeConfig _config;
    private readonly int _maxPositions;
    private readonly float[] _longInverseFrequencies;

    /// <param name="config">How frequencies are stretched.</param>
    /// <param name="rotaryDim">Dimensions of a head that turn.</param>
    /// <param name="maxPositions">config.json <c>max_position_embeddings</c>: where dynamic scaling begins.</param>
    public RotaryFrequencies(RopeConfig config, int rotaryDim, int maxPositions)
    {
        _config = config;
        _maxPositions = maxPositions;
        RotaryDim = rotaryDim;
        InverseFrequencies = config.Type switch
        {
            RopeType.Linear => Linear(config, rotaryDim),
            RopeType.Yarn => Yarn(config, rotaryDim),
            RopeType.LongRope => Divided(config, rotaryDim, config.ShortFactors),
            RopeType.Llama3 => Llama3(config, rotaryDim),
            _ => Plain(config.Theta, rotaryDim),
        };
        _longInverseFrequencies = config.Type == RopeType.LongRope ? Divided(config, rotaryDim, config.LongFactors) : InverseFrequencies;
        Scale = config.Type switch
        {
            RopeType.Yarn => (float)YarnScale(config),
            RopeType.LongRope => (float)LongRopeScale(config),
            _ => 1f,
        };
    }

    /// <summary>Dimensions of a head that turn, from the first on; the others stay.</summary>
    public int RotaryDim { get; }

    /// <summary>[rotaryDim / 2]; longrope: of sequences within the original context.</summary>
    public float[] InverseFrequencies { get; }

    /// <summary>Factor on cosine and sine.</summary>
    public float Scale { get; }

    /// <summary>Frequencies depend on the length of the sequence.</summary>
    public bool DependsOnLength => _config.Type is RopeType.Dynamic or RopeType.LongRope;

    /// <summary>Past the length where frequencies begin to change, they do with each token.</summary>
    public bool HasRegimeOfEachLength => _config.Type == RopeType.Dynamic;

    /// <summary>Queries grow with their position.</summary>
    public bool ScalesQueries => _config.QueryScalingBeta != 0;

    /// <summary>The rotary embeddings of a model's layers; layers of one kind share an object.</summary>
    public static IReadOnlyList<RotaryFrequencies> OfLayers(ModelConfig config)
    {
        var full = Of(config.Rope);
        var local = ReferenceEquals(config.Rope, config.LocalRope) ? full : Of(config.LocalRope);
        return [.. config.SlidingWindows.Select(window => window is null ? full : local)];

        RotaryFrequencies Of(RopeConfig rope) => new(rope, rope.RotaryDim(config.HeadDim), config.MaxPositions);
    }

    /// <summary>Sequences of two lengths turn alike where this number is the same.</summary>
    /// <param name="length">Tokens of the whole sequence.</param>
    public int Regime(int length) => _config.Type switch
    {
        RopeType.Dynamic => length > _maxPositions ? length : 0,
        RopeType.LongRope => length > _config.OriginalMaxPositions ? 1 : 0,
        _ => 0,
    };

    /// <summary>Factor on queries at a position.</summary>
    public float QueryScale(int position) =>
        ScalesQueries ? 1 + (float)(_config.QueryScalingBeta * Math.Log(1 + (position / _config.OriginalMaxPositions))) : 1;

    /// <summary>Writes cosine and sine of each dimension pair at a position.</summary>
    /// <param name="position">Position in the sequence, from 0.</param>
    /// <param name="length">Tokens of the whole sequence, or of any with the same <see cref="Regime"/>.</param>
    /// <param name="cosine">[rotaryDim / 2]</param>
    /// <param name="sine">[rotaryDim / 2]</param>
    public void Angles(int position, int length, Span<float> cosine, Span<float> sine)
    {
        var isDynamic = _config.Type == RopeType.Dynamic && length > _maxPositions;
        var theta = isDynamic ? DynamicTheta(length) : 0;
        var inverses = Regime(length) == 0 ? InverseFrequencies : _longInverseFrequencies;
        for (var i = 0; i < cosine.Length; i++)
        {
            var inverse = isDynamic ? (float)(1 / Math.Pow(theta, 2.0 * i / RotaryDim)) : inverses[i];
            var angle = position * inverse;
            (var s, var c) = MathF.SinCos(angle);
            cosine[i] = c * Scale;
            sine[i] = s * Scale;
        }
    }

    private double DynamicTheta(int length) =>
        _config.Theta * Math.Pow((_config.Factor * length / _maxPositions) - (_config.Factor - 1), RotaryDim / (RotaryDim - 2.0));

    private static float[] Plain(double theta, int rotaryDim)
    {
        var inverse = new float[rotaryDim / 2];
        for (var i = 0; i < inverse.Length; i++)
        {
            inverse[i] = (float)(1 / Math.Pow(theta, 2.0 * i / rotaryDim));
        }

        return inverse;
    }

    private static float[] Linear(RopeConfig config, int rotaryDim)
    {
        var inverse = Plain(config.Theta, rotaryDim);
        for (var i = 0; i < inverse.Length; i++)
        {
            inverse[i] /= (float)config.Factor;
        }

        return inverse;
    }

    private static float[] Divided(RopeConfig config, int rotaryDim, IReadOnlyList<double> divisors)
    {
        var inverse = new float[rotaryDim / 2];
        for (var i = 0; i < inverse.Length; i++)
        {
            inverse[i] = (float)(1 / (divisors[i] * Math.Pow(config.Theta, 2.0 * i / rotaryDim)));
        }

        return inverse;
    }

    private static float[] Llama3(RopeConfig config, int rotaryDim)
    {
        var inverse = Plain(config.Theta, rotaryDim);
        var longest = config.OriginalMaxPositions / config.LowFrequencyFactor;
        var shortest = config.OriginalMaxPositions / config.HighFrequencyFactor;
        for (var i = 0; i < inverse.Length; i++)
        {
            var wavelength = 2 * Math.PI / inverse[i];
            if (wavelength > longest)
            {
                inverse[i] = (float)(inverse[i] / config.Factor);
            }
            else if (wavelength >= shortest)
            {
                var smooth = ((config.OriginalMaxPositions / wavelength) - config.LowFrequencyFactor) / (config.HighFrequencyFactor - config.LowFrequencyFactor);
                inverse[i] = (float)(((1 - smooth) * inverse[i] / config.Factor) + (smooth * inverse[i]));
            }
        }

        return inverse;
    }

    private static float[] Yarn(RopeConfig config, int rotaryDim)
    {
        var low = CorrectionDimension(config.BetaFast);
        var high = CorrectionDimension(config.BetaSlow);
        if (config.Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, rotaryDim - 1);
        if (low == high)
        {
            high += 0.001;
        }

        var inverse = new float[rotaryDim / 2];
        for (var i = 0; i < inverse.Length; i++)
        {
            var extrapolated = 1 / Math.Pow(config.Theta, 2.0 * i / rotaryDim);
            var ramp = Math.Clamp((i - low) / (high - low), 0, 1);
            inverse[i] = (float)((extrapolated / config.Factor * ramp) + (extrapolated * (1 - ramp)));
        }

        return inverse;

        double CorrectionDimension(double rotations) =>
            rotaryDim * Math.Log(config.OriginalMaxPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(config.Theta));
    }

    private static double YarnScale(RopeConfig config)
    {
        if (config.AttentionFactor is { } given)
        {
            return given;
        }

        // Zero counts as absent in the reference implementation.
        return config.Mscale is { } mscale and not 0 && config.MscaleAllDim is { } mscaleAllDim and not 0
            ? Term(mscale) / Term(mscaleAllDim)
            : Term(1);

        double Term(double factor) => config.Factor <= 1 ? 1 : (0.1 * factor * Math.Log(config.Factor)) + 1;
    }

    private static double LongRopeScale(RopeConfig config) =>
        config.AttentionFactor ?? (config.Factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(config.Factor) / Math.Log(config.OriginalMaxPositions))));
}
