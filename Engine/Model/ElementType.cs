namespace Fastgen.Engine.Model;

/// <summary>How the numbers of a tensor are stored.</summary>
internal enum ElementType
{
    /// <summary>IEEE 754 binary32.</summary>
    Fp32,

    /// <summary>IEEE 754 binary16.</summary>
    Fp16,

    /// <summary>The upper half of a binary32.</summary>
    Bf16,
}
