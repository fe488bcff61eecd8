namespace Fastgen.Tools.FgBench.Gpu;

/// <summary>How long a kernel takes, and what it does in that time.</summary>
internal sealed record GpuKernelFigure(string Kernel, string Shape, double Seconds)
{
    /// <summary>Floating-point operations, where they decide.</summary>
    public double? Flops { get; init; }

    /// <summary>Bytes that must be read and written at least.</summary>
    public double? Bytes { get; init; }
}
