using System.Diagnostics.CodeAnalysis;

namespace Fastgen.Engine.Model;

/// <summary>What matrices are kept as.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "Users know these formats by no other names.")]
public enum WeightType
{
    /// <summary>As the checkpoint stores them.</summary>
    Stored,

    /// <summary>Plain matrices are quantised to int8 as they are loaded, 64 columns of a row to a scale. CPU only.</summary>
    Int8,

    /// <summary>Plain matrices of layers are quantised to int4, 32 columns of a row to a scale; the output head, and with it tied embeddings, to int8. CPU only.</summary>
    Int4,
}
