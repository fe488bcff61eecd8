using System.Globalization;
using Fastgen.Engine.Model.Architectures;

namespace Fastgen.Engine.Model;

/// <summary>Reads the rope keys of a config.json as transformers does, precedence between old and new spellings included.</summary>
internal sealed class RopeReader(ConfigJson config, RopeRules rules, int headDim, int maxPositions)
{
    private const string FullLayers = "full_attention";
    private const string WindowedLayers = "sliding_attention";

    /// <summary>One set of parameters for all layers.</summary>
    public RopeConfig ReadShared(double defaultTheta)
    {
        // Where a file has both, transformers takes rope_scaling; an empty object counts as none.
        var parameters = NotEmpty("rope_scaling") ?? NotEmpty("rope_parameters");
        if (parameters is null)
        {
            return rules.Absent ?? new RopeConfig { Theta = config.Number("rope_theta", 1) ?? defaultTheta, PartialFactor = PartialFactor(RopeType.Default, config) };
        }

        foreach (var layerType in (string[])[FullLayers, WindowedLayers])
        {
            if (parameters.Has(layerType))
            {
                throw parameters.Unsupported(layerType, "{…}", "one set of rope parameters for all layers of this architecture");
            }
        }

        return Read(parameters, TypeKey(parameters), parameters.Number("rope_theta", 1) ?? config.Number("rope_theta", 1) ?? defaultTheta);
    }

    /// <summary>Parameters of their own for windowed layers; <c>rope_scaling</c> and <c>rope_theta</c> are those of the others.</summary>
    public (RopeConfig Full, RopeConfig Local) ReadByLayerType(double defaultTheta)
    {
        var parameters = config.Object("rope_parameters");
        var full = parameters?.Object(FullLayers);
        var local = parameters?.Object(WindowedLayers);
        var fullTheta = full?.Number("rope_theta", 1) ?? config.Number("rope_theta", 1) ?? defaultTheta;
        var localTheta = local?.Number("rope_theta", 1) ?? config.Number("rope_local_base_freq", 1) ?? rules.LocalTheta;
        var fullRope = full is null ? new RopeConfig { Theta = fullTheta } : Read(full, TypeKey(full), fullTheta);
        if (NotEmpty("rope_scaling") is { } scaling)
        {
            // Its keys replace single keys, and "type" is none of them: the type is already set when it is looked for.
            fullRope = Read(scaling, "rope_type", scaling.Number("rope_theta", 1) ?? fullTheta);
        }

        return (fullRope, local is null ? new RopeConfig { Theta = localTheta } : Read(local, TypeKey(local), localTheta));
    }

    private static string TypeKey(ConfigJson parameters) => parameters.Has("rope_type") ? "rope_type" : "type";

    private static double Required(ConfigJson parameters, string key) =>
        parameters.Number(key, 0) ?? throw parameters.Error(key, "is missing, but this rope type needs it; correct the file or download it again.");

    private ConfigJson? NotEmpty(string key) => config.Object(key) is { IsEmpty: false } found ? found : null;

    private RopeConfig Read(ConfigJson parameters, string typeKey, double theta)
    {
        var type = ReadType(parameters, typeKey);

        // The key beside rope_scaling wins over the one inside, as in transformers.
        var originalMaxPositions = config.Integer("original_max_position_embeddings", 1, int.MaxValue)
            ?? rules.OriginalMaxPositions
            ?? parameters.Integer("original_max_position_embeddings", 1, int.MaxValue);
        var rope = new RopeConfig
        {
            Type = type,
            Theta = theta,
            PartialFactor = PartialFactor(type, parameters, config),
            OriginalMaxPositions = originalMaxPositions ?? maxPositions,
            QueryScalingBeta = rules.QueryScaling ? parameters.Number("llama_4_scaling_beta", double.NegativeInfinity) ?? 0 : 0,
        };
        return type switch
        {
            RopeType.Linear or RopeType.Dynamic => rope with { Factor = Required(parameters, "factor") },
            RopeType.Llama3 => ReadLlama3(parameters, rope),
            RopeType.Yarn => ReadYarn(parameters, rope, originalMaxPositions),
            RopeType.LongRope => ReadLongRope(parameters, rope),
            _ => rope,
        };
    }

    private RopeType ReadType(ConfigJson parameters, string key)
    {
        var name = parameters.String(key) ?? "default";
        RopeType? type = name switch
        {
            "default" => RopeType.Default,
            _ when rules.LongRopeNames.Contains(name) => RopeType.LongRope,
            "linear" => RopeType.Linear,
            "dynamic" => RopeType.Dynamic,
            "yarn" => RopeType.Yarn,
            "longrope" => RopeType.LongRope,
            "llama3" => RopeType.Llama3,
            _ => null,
        };
        return type is { } known && rules.Types.Contains(known)
            ? known
            : throw parameters.Unsupported(key, name, string.Join(", ", rules.Types.Select(allowed => allowed.ToString().ToLowerInvariant())));
    }

    /// <summary>The first of the objects that has the key decides.</summary>
    private double PartialFactor(RopeType type, params ReadOnlySpan<ConfigJson> places)
    {
        ConfigJson? json = null;
        foreach (var place in places)
        {
            json ??= place.Has("partial_rotary_factor") ? place : null;
        }

        // Classes that turn whole heads do not look at the key where the type is default, and fail with it elsewhere.
        if (json?.Number("partial_rotary_factor", 0) is not { } share || (type == RopeType.Default && !rules.PartialRotation))
        {
            return 1;
        }

        if (share != 1 && !rules.PartialRotation)
        {
            throw json.Unsupported("partial_rotary_factor", share.ToString(CultureInfo.InvariantCulture), "1 for this architecture and rope type");
        }

        var dimensions = (int)(headDim * share);
        return share <= 1 && dimensions > 0 && dimensions % 2 == 0
            ? share
            : throw json.Unsupported("partial_rotary_factor", share.ToString(CultureInfo.InvariantCulture), $"shares up to 1 that turn an even number of a head's {headDim} dimensions");
    }

    private static RopeConfig ReadLlama3(ConfigJson parameters, RopeConfig rope)
    {
        rope = rope with
        {
            Factor = Required(parameters, "factor"),
            LowFrequencyFactor = Required(parameters, "low_freq_factor"),
            HighFrequencyFactor = Required(parameters, "high_freq_factor"),
        };
        return rope.HighFrequencyFactor > rope.LowFrequencyFactor
            ? rope
            : throw parameters.Error("high_freq_factor", $"is {rope.HighFrequencyFactor}, but must be above low_freq_factor {rope.LowFrequencyFactor}; correct the file.");
    }

    private RopeConfig ReadYarn(ConfigJson parameters, RopeConfig rope, int? originalMaxPositions) => rope with
    {
        // Without a factor, the ratio of the two context lengths is meant.
        Factor = parameters.Number("factor", 0)
            ?? (originalMaxPositions is { } original ? (double)maxPositions / original : Required(parameters, "factor")),
        AttentionFactor = parameters.Number("attention_factor", 0),
        BetaFast = parameters.Number("beta_fast", 0) ?? 32,
        BetaSlow = parameters.Number("beta_slow", 0) ?? 1,
        Mscale = parameters.Number("mscale", double.NegativeInfinity),
        MscaleAllDim = parameters.Number("mscale_all_dim", double.NegativeInfinity),

        // With parameters by layer type, transformers looks for this key beside the types and never finds it.
        Truncate = rules.ByLayerType || (parameters.Boolean("truncate") ?? true),
    };

    private RopeConfig ReadLongRope(ConfigJson parameters, RopeConfig rope) => rope with
    {
        Factor = parameters.Number("factor", 0) ?? ((double)maxPositions / rope.OriginalMaxPositions),
        AttentionFactor = parameters.Number("attention_factor", 0),
        ShortFactors = Divisors(parameters, "short_factor", rope),
        LongFactors = Divisors(parameters, "long_factor", rope),
    };

    private IReadOnlyList<double> Divisors(ConfigJson parameters, string key, RopeConfig rope)
    {
        var divisors = parameters.Numbers(key, 0) ?? throw parameters.Error(key, "is missing, but longrope needs it; correct the file or download it again.");
        var pairs = rope.RotaryDim(headDim) / 2;
        return divisors.Count == pairs
            ? divisors
            : throw parameters.Error(key, $"has {divisors.Count} numbers, but {pairs} pairs of dimensions turn; correct the file or download it again.");
    }
}
