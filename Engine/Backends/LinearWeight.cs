namespace Fastgen.Engine.Backends;

/// <summary>A matrix [outputs, inputs] in whatever layout its backend multiplies best, with its bias where it has one.</summary>
internal abstract class LinearWeight(int outputs, int inputs) : IDisposable
{
    public int Outputs { get; } = outputs;

    public int Inputs { get; } = inputs;

    /// <summary>Bytes that one multiplication reads.</summary>
    public abstract long ByteCount { get; }

    public abstract void Dispose();
}
