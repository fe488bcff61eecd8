namespace Fastgen.Engine.Model.Inspection;

/// <summary>What the headers of the weight files say.</summary>
public sealed record WeightReport
{
    /// <summary>Safetensors files that were read.</summary>
    public required int Files { get; init; }

    /// <summary>Their length on disk.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>Tensors in them.</summary>
    public required int Tensors { get; init; }

    /// <summary>Bytes of the tensors alone.</summary>
    public required long TensorBytes { get; init; }

    /// <summary>Weights of the model: as the configuration calls for them where it is supported, else elements in the files.</summary>
    public required long Parameters { get; init; }

    /// <summary>What is not read: parts of a multimodal model beside its language model.</summary>
    public IReadOnlyList<IgnoredPartReport> Ignored { get; init; } = [];

    /// <summary>Bytes by stored type, largest first.</summary>
    public required IReadOnlyList<StoredTypeReport> Types { get; init; }
}
