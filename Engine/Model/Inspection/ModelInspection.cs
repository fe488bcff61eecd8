using System.Text.Json;

namespace Fastgen.Engine.Model.Inspection;

/// <summary>What a model folder holds and whether the engine can run it, without loading weights: only the small files and the headers are read.</summary>
public sealed record ModelInspection
{
    /// <summary>The folder, or what was asked for when there is none.</summary>
    public required string Path { get; init; }

    /// <summary>Whether nothing stands in the way of loading the model and chatting with it, as far as the headers tell.</summary>
    public bool IsSupported => Problems.Count == 0;

    /// <summary>What is wrong or not supported, and why.</summary>
    public required IReadOnlyList<InspectionProblem> Problems { get; init; }

    /// <summary>From config.json; null when it cannot be read.</summary>
    public ArchitectureReport? Architecture { get; init; }

    /// <summary>From the headers of the weight files; null when there are none.</summary>
    public WeightReport? Weights { get; init; }

    /// <summary>Null when the configuration is not known.</summary>
    public MemoryReport? Memory { get; init; }

    /// <summary>Null when the folder has no tokenizer: the engine then takes token ids only.</summary>
    public TokenizerReport? Tokenizer { get; init; }

    /// <summary>The chat templates; none when the folder has none: the engine then takes prompts only.</summary>
    public required IReadOnlyList<TemplateReport> Templates { get; init; }

    /// <summary>Reads what can be read of a model. Never throws for what the folder holds: what is wrong is in <see cref="Problems"/>.</summary>
    /// <param name="model">A folder as HuggingFace publishes it, or the id of a repository in the local HuggingFace cache.</param>
    public static ModelInspection Read(string model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new ModelInspector(model).Run();
    }

    /// <summary>The report as JSON, keys in camel case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, InspectionJson.Default.ModelInspection);
}
