namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>A tensor as it lies in a file, of any dtype.</summary>
/// <param name="Name">Name in the checkpoint.</param>
/// <param name="Shape">dtype and dimensions; the file holds as many bytes as they say.</param>
/// <param name="Data">Address of the first element, only as aligned as the file is.</param>
internal readonly record struct StoredTensor(string Name, TensorShape Shape, nint Data);
