using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine;

/// <summary>What the model's makers recommend: generation_config.json, and the end-of-sequence ids of config.json.</summary>
public sealed record GenerationDefaults
{
    /// <summary>generation_config.json <c>temperature</c>; 0 where <c>do_sample</c> is false.</summary>
    public float? Temperature { get; init; }

    /// <summary>generation_config.json <c>top_p</c>.</summary>
    public float? TopP { get; init; }

    /// <summary>generation_config.json <c>top_k</c>.</summary>
    public int? TopK { get; init; }

    /// <summary>generation_config.json <c>min_p</c>.</summary>
    public float? MinP { get; init; }

    /// <summary>generation_config.json <c>repetition_penalty</c>.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary><c>eos_token_id</c> of both files: a sequence ends with any of them.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>The recommendation as sampling parameters.</summary>
    public SamplingParameters ToSampling()
    {
        var fallback = new SamplingParameters();
        return new SamplingParameters
        {
            Temperature = Temperature ?? fallback.Temperature,
            TopP = TopP ?? fallback.TopP,
            TopK = TopK ?? fallback.TopK,
            MinP = MinP ?? fallback.MinP,
            RepetitionPenalty = RepetitionPenalty ?? fallback.RepetitionPenalty,
        };
    }

    /// <summary>Reads both files of a model folder; either may be missing.</summary>
    /// <exception cref="ModelLoadException">A file is not JSON, or a value has the wrong type.</exception>
    public static GenerationDefaults LoadFolder(string folder)
    {
        ConfigJson? generation = Read(Path.Combine(folder, "generation_config.json"));
        ConfigJson? config = Read(Path.Combine(folder, "config.json"));
        bool greedy = generation?.Boolean("do_sample") == false;
        return new GenerationDefaults
        {
            Temperature = greedy ? 0 : Number(generation, "temperature"),
            TopP = greedy ? null : Number(generation, "top_p"),
            TopK = greedy ? null : generation?.Integer("top_k", 0, int.MaxValue),
            MinP = greedy ? null : Number(generation, "min_p"),
            RepetitionPenalty = Number(generation, "repetition_penalty"),
            // Some configs write -1 where the model has none.
            EndOfSequenceIds = [.. Ends(generation).Union(Ends(config)).Union(Ends(TextOf(config))).Where(id => id >= 0)],
        };
    }

    // A multimodal model may say it where its language model's settings are.
    private static ConfigJson? TextOf(ConfigJson? config) => config is null ? null : WrapperArchitecture.Find(config)?.TextOf(config);

    private static ConfigJson? Read(string path) => File.Exists(path) ? ConfigJson.Load(path) : null;

    // Zero is a valid temperature and min_p.
    private static float? Number(ConfigJson? json, string key) => (float?)json?.Number(key, -double.Epsilon);

    private static IReadOnlyList<int> Ends(ConfigJson? json) => json?.IntegerOrList("eos_token_id") ?? [];
}
