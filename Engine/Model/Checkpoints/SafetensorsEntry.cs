namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Stored type and dimensions.</param>
/// <param name="Offset">First byte, from the start of the file.</param>
/// <param name="ByteCount">Length.</param>
internal readonly record struct SafetensorsEntry(string Name, TensorShape Shape, long Offset, long ByteCount);
