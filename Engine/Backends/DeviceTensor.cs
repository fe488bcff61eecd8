namespace Fastgen.Engine.Backends;

/// <summary>Memory of a backend with a shape; only the backend that made it knows what is inside.</summary>
internal abstract class DeviceTensor(int rows, int columns) : IDisposable
{
    /// <summary>Rows that there is room for.</summary>
    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public abstract void Dispose();
}
