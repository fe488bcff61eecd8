namespace Fastgen.Engine.Model;

/// <summary>A GPU's memory once a model is loaded, as the driver counts it.</summary>
/// <param name="TotalBytes">Of the device.</param>
/// <param name="FreeBytes">Left after loading.</param>
/// <param name="WeightBytes">Taken while the weights were loaded.</param>
/// <param name="ActivationBytes">Taken for the activations of a step.</param>
public readonly record struct DeviceMemory(long TotalBytes, long FreeBytes, long WeightBytes, long ActivationBytes)
{
    /// <summary>What neither weights, activations nor a KV cache of so many bytes explain.</summary>
    public long OtherBytes(long kvCacheBytes) => Math.Max(0, TotalBytes - FreeBytes - WeightBytes - ActivationBytes - kvCacheBytes);
}
