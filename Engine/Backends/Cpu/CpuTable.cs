using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>An embedding table in its stored type.</summary>
/// <param name="data">First element of row 0.</param>
/// <param name="rowBytes">Bytes from one row to the next.</param>
/// <param name="isPacked">Rows lie in tiles as <see cref="PackedWeights"/> says.</param>
/// <param name="owned">Released with the table; null where it belongs to another.</param>
internal sealed unsafe class CpuTable(int rows, int columns, ElementType type, byte* data, nint rowBytes, bool isPacked, NativeBuffer? owned)
    : DeviceTensor(rows, columns)
{
    public ElementType Type { get; } = type;

    public bool IsPacked { get; } = isPacked;

    /// <summary>How quantised rows lie, in tiles; null where numbers are plain.</summary>
    public QuantizedLayout? Layout { get; init; }

    /// <summary>First element of a row; of a packed table the first element of the tile that holds it.</summary>
    public byte* Row(int row) => data + ((row - InTile(row)) * rowBytes);

    /// <summary>Which row of its tile a row is; 0 where rows are plain.</summary>
    public int InTile(int row) => IsPacked ? row % (Layout?.TileOutputs ?? LinearKernel.TileOutputs) : 0;

    public override void Dispose() => owned?.Dispose();
}
