namespace Fastgen.Engine.Model.Architectures;

/// <summary>A multimodal class of transformers around a language model: only the language model is read and served.</summary>
/// <param name="Name">Class name as in config.json <c>architectures</c>.</param>
/// <param name="ModelType">config.json <c>model_type</c>.</param>
/// <param name="DefaultTextType">What transformers takes where <c>text_config</c> names no <c>model_type</c>.</param>
/// <param name="TiesByDefault">Without an output matrix in the checkpoint the embedding table is one, whatever <c>text_config</c> says.</param>
internal sealed record WrapperArchitecture(string Name, string ModelType, string DefaultTextType, bool TiesByDefault)
{
    private const string TextKey = "text_config";

    public static IReadOnlyList<WrapperArchitecture> All { get; } =
    [
        new("Mistral3ForConditionalGeneration", "mistral3", "mistral", TiesByDefault: true),
        new("Gemma3ForConditionalGeneration", "gemma3", "gemma3_text", TiesByDefault: true),
        new("LlavaForConditionalGeneration", "llava", "llama", TiesByDefault: false),
        new("LlavaNextForConditionalGeneration", "llava_next", "llama", TiesByDefault: false),
    ];

    /// <summary>By <c>architectures</c>, or by <c>model_type</c> where the file names no class; null where it names none of these.</summary>
    public static WrapperArchitecture? Find(ConfigJson json) => json.Strings("architectures") is { Count: > 0 } names
        ? All.FirstOrDefault(wrapper => names.Contains(wrapper.Name))
        : json.String("model_type") is { } type ? All.FirstOrDefault(wrapper => wrapper.ModelType == type) : null;

    /// <summary>The settings of the language model.</summary>
    /// <exception cref="ModelLoadException">They are missing, or no object.</exception>
    public ConfigJson TextOf(ConfigJson json) => json.Object(TextKey)
        ?? throw json.Error(TextKey, $"is missing, but {Name} keeps the settings of its language model there; correct the file or download it again.");
}
