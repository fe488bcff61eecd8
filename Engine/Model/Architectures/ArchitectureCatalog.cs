namespace Fastgen.Engine.Model.Architectures;

/// <summary>All supported architectures.</summary>
internal static class ArchitectureCatalog
{
    public static IReadOnlyList<Architecture> All { get; } =
    [
        LlamaArchitecture.Definition,
        MistralArchitecture.Definition,
        MinistralArchitecture.Definition,
        Ministral3Architecture.Definition,
        Qwen2Architecture.Definition,
        Qwen3Architecture.Definition,
        Phi3Architecture.Definition,
        Gemma2Architecture.Definition,
        Gemma3Architecture.Definition,
        MixtralArchitecture.Definition,
        Qwen3MoeArchitecture.Definition,
        GptOssArchitecture.Definition,
        DeepseekV2Architecture.Definition,
        DeepseekV3Architecture.Definition,
    ];

    /// <summary>Names of all classes that are served, for people: those here, and those around one of them.</summary>
    public static IReadOnlyList<string> SupportedNames { get; } =
        [.. All.Select(architecture => architecture.Name), .. WrapperArchitecture.All.Select(wrapper => wrapper.Name + " (text only)")];

    /// <summary>By <c>architectures</c>, or by <c>model_type</c> where the file names no class.</summary>
    /// <exception cref="ModelLoadException">The architecture is not supported.</exception>
    public static Architecture Find(ConfigJson json)
    {
        var supported = string.Join(", ", SupportedNames);
        if (json.Strings("architectures") is { Count: > 0 } names)
        {
            return All.FirstOrDefault(architecture => names.Contains(architecture.Name))
                ?? throw json.Unsupported("architectures", string.Join("', '", names), supported);
        }

        if (json.String("model_type") is { } type)
        {
            return All.FirstOrDefault(architecture => architecture.ModelType == type)
                ?? throw json.Unsupported("model_type", type, supported);
        }

        throw new ModelLoadException($"{json.Source}: names neither 'architectures' nor 'model_type'; add \"architectures\": [\"…\"] with one of: {supported}.");
    }

    /// <summary>The language model of a multimodal one: its <c>model_type</c> alone counts, as in transformers.</summary>
    /// <exception cref="ModelLoadException">The architecture is not supported.</exception>
    public static Architecture FindText(ConfigJson text, string defaultType)
    {
        var type = text.String("model_type") ?? defaultType;
        return All.FirstOrDefault(architecture => architecture.ModelType == type)
            ?? throw text.Unsupported("model_type", type, string.Join(", ", All.Select(architecture => architecture.ModelType)));
    }
}
