namespace Fastgen.Engine.Model.Inspection;

/// <summary>What the tokenizer is made of.</summary>
public sealed record TokenizerReport
{
    /// <summary>Name of the file that is used.</summary>
    public required string File { get; init; }

    /// <summary>BPE, Unigram, or how the file says it.</summary>
    public string? Model { get; init; }

    /// <summary>Whether it can be used.</summary>
    public required bool IsSupported { get; init; }

    /// <summary>Highest id plus one; null when it cannot be used.</summary>
    public int? VocabularySize { get; init; }

    /// <summary>Normalizers in the order in which they run.</summary>
    public IReadOnlyList<string> Normalizers { get; init; } = [];

    /// <summary>Pre-tokenizers in the order in which they run.</summary>
    public IReadOnlyList<string> PreTokenizers { get; init; } = [];

    /// <summary>Post-processors in the order in which they run.</summary>
    public IReadOnlyList<string> PostProcessors { get; init; } = [];

    /// <summary>Decoders in the order in which they run.</summary>
    public IReadOnlyList<string> Decoders { get; init; } = [];

    /// <summary>Added tokens in the file.</summary>
    public int AddedTokens { get; init; }
}
