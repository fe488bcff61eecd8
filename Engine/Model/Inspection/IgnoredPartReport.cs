namespace Fastgen.Engine.Model.Inspection;

/// <summary>Tensors of a multimodal model that are not part of its language model and stay unread.</summary>
/// <param name="Name">What their names begin with, such as vision_tower.</param>
/// <param name="Tensors">Number of them.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record IgnoredPartReport(string Name, int Tensors, long Bytes);
