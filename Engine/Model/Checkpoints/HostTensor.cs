namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>A tensor in host memory, row-major. Valid while the source that gave it lives.</summary>
/// <param name="Name">Name in the checkpoint.</param>
/// <param name="Type">How its numbers are stored.</param>
/// <param name="Rows">First dimension; 1 for a vector.</param>
/// <param name="Columns">Second dimension.</param>
/// <param name="Data">Address of the first element; for files only as aligned as the file is.</param>
internal readonly record struct HostTensor(string Name, ElementType Type, int Rows, int Columns, nint Data)
{
    public long ElementCount => (long)Rows * Columns;

    public long ByteCount => ElementCount * Type.SizeBytes();
}
