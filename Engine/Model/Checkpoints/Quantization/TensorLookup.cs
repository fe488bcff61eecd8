namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>Finds a tensor of the checkpoint by its name; null where there is none.</summary>
internal delegate StoredTensor? TensorLookup(string name);
