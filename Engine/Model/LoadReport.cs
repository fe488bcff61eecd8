using System.Globalization;

namespace Fastgen.Engine.Model;

/// <summary>What loading a model took, and where the memory went.</summary>
public sealed record LoadReport
{
    /// <summary>Bytes of weights: in the files, or made up.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Seconds from the first tensor read to the last one brought to the device.</summary>
    public required double WeightSeconds { get; init; }

    /// <summary>Random weights instead of a checkpoint's.</summary>
    public required bool DummyWeights { get; init; }

    /// <summary>The weights stay in their memory-mapped files.</summary>
    public required bool WeightsMapped { get; init; }

    /// <summary>Tokens that one step computes at most: what the activations are made for.</summary>
    public required int StepTokens { get; init; }

    /// <summary>Blocks of the KV cache.</summary>
    public required int BlockCount { get; init; }

    /// <summary>Tokens per block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Bytes of the KV cache.</summary>
    public required long KvCacheBytes { get; init; }

    /// <summary>Memory of a GPU, measured while loading; null on a CPU.</summary>
    public DeviceMemory? Device { get; init; }

    /// <summary>Tokens that the KV cache holds.</summary>
    public long KvCacheTokens => (long)BlockCount * BlockSize;

    /// <summary>Weights per second, 10⁹ bytes.</summary>
    public double WeightGigabytesPerSecond => WeightBytes / 1e9 / Math.Max(WeightSeconds, 1e-9);

    /// <summary>The report for people, a sentence each.</summary>
    public IEnumerable<string> Lines()
    {
        yield return DummyWeights
            ? Text($"Weights: {WeightBytes / 1e9:N2} GB of random numbers, made and stored in {WeightSeconds:F1} s ({WeightGigabytesPerSecond:F1} GB/s)")
            : WeightsMapped
                ? Text($"Weights: {WeightBytes / 1e9:N2} GB, used in place from the mapped files, checked in {WeightSeconds:F1} s ({WeightGigabytesPerSecond:F1} GB/s)")
                : Text($"Weights: {WeightBytes / 1e9:N2} GB read, checked and stored in {WeightSeconds:F1} s ({WeightGigabytesPerSecond:F1} GB/s; slower where the files are not in the page cache)");
        yield return Text($"KV cache: {KvCacheBytes / 1e9:N2} GB, {BlockCount:N0} blocks of {BlockSize} tokens = {KvCacheTokens:N0} tokens");
        if (Device is { } device)
        {
            yield return Text($"Activations: {device.ActivationBytes / 1e9:N2} GB for steps of {StepTokens:N0} tokens");
            yield return Text($"Device memory: {device.FreeBytes / 1e9:N2} of {device.TotalBytes / 1e9:N2} GB free; weights {device.WeightBytes / 1e9:N2}, KV cache {KvCacheBytes / 1e9:N2}, activations {device.ActivationBytes / 1e9:N2}, context, kernels, workspace and other programs {device.OtherBytes(KvCacheBytes) / 1e9:N2} GB; decode graphs are recorded when a batch size first comes and take from what is free");
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
