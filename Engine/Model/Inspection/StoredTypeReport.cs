namespace Fastgen.Engine.Model.Inspection;

/// <summary>The tensors of one stored type.</summary>
/// <param name="Type">As safetensors names it: F32, BF16, F8_E4M3, I32 and so on.</param>
/// <param name="Tensors">Number of them.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record StoredTypeReport(string Type, int Tensors, long Bytes);
