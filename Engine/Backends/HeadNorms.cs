namespace Fastgen.Engine.Backends;

/// <summary>RMS norms of each query and key head, before they are turned.</summary>
/// <param name="Query">[1, headDim]</param>
/// <param name="Key">[1, headDim]</param>
/// <param name="Epsilon">Added to the mean square.</param>
internal readonly record struct HeadNorms(DeviceTensor Query, DeviceTensor Key, float Epsilon);
