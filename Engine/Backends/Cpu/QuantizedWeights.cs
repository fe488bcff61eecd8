using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A layout of quantised weights that a thread reads as one stream: tiles of rows, each with its scales, its zeros and then its codes as <see cref="QuantizedLayout"/> says.</summary>
/// <remarks>Codes of fp8 lie in tiles of four rows, [unit, row, input]; integers in tiles of sixteen, [line of four (int8) or eight (int4)
/// inputs, row], as <see cref="IQuantizedElement"/> wants them. A last tile of fewer rows is filled with scales of 0.</remarks>
internal static unsafe class QuantizedWeights
{
    /// <summary>Inputs of a unit: groups that share a scale are whole units.</summary>
    public const int UnitInputs = 32;

    /// <summary>Rows that are read from the checkpoint at once: formats that pack along the outputs are read a line of memory at a time.</summary>
    private const int PieceRows = 128;

    /// <summary>Whether a matrix fits: groups of whole units. Others are widened when they are loaded.</summary>
    public static bool CanHold(QuantizedTensor tensor) =>
        tensor.Columns % UnitInputs == 0 && tensor.Groups.Irregular is null && (tensor.Groups.Count == 1 || tensor.Groups.Size % UnitInputs == 0);

    public static long ByteCount(QuantizedLayout layout, int rows) => (long)layout.TileBytes * TileCount(layout, rows);

    /// <param name="destination">As many bytes as <see cref="ByteCount"/> says, overwritten.</param>
    public static void Pack(QuantizedTensor tensor, QuantizedLayout layout, byte* destination)
    {
        Parallel.For(0, (tensor.Rows + PieceRows - 1) / PieceRows, piece =>
        {
            var first = piece * PieceRows;
            var rows = Math.Min(PieceRows, tensor.Rows - first);
            var codes = new byte[(long)rows * tensor.Columns];
            fixed (byte* source = codes)
            {
                tensor.ReadCodes(first, rows, source);
                for (var row = 0; row < TileCount(layout, rows) * layout.TileOutputs; row++)
                {
                    var (tile, inTile) = Math.DivRem(first + row, layout.TileOutputs);
                    PackRow(tensor, layout, row < rows ? first + row : null, source + ((long)row * tensor.Columns), destination + (tile * layout.TileBytes), inTile);
                }
            }
        });
    }

    /// <summary>Widens one row.</summary>
    /// <param name="tile">First byte of the tile that holds the row.</param>
    /// <param name="row">Which of its rows.</param>
    /// <param name="destination">[inputs], in their natural order.</param>
    public static void WidenRow(QuantizedLayout layout, byte* tile, int row, float* destination)
    {
        for (var i = 0; i < layout.Inputs; i++)
        {
            var index = (i / layout.GroupInputs * layout.TileOutputs) + row;
            var scale = LoadScale(layout.ScaleType, tile + ((nint)index * layout.ScaleType.SizeBytes()));
            var zero = layout.HasZeros ? ((sbyte*)tile)[layout.ZeroOffset + index] : layout.DefaultZero;
            var codes = tile + layout.CodeOffset;
            destination[layout.Order?[i] ?? i] = layout.Code switch
            {
                QuantizedCode.Int4 => ((Lane(layout, codes, i, row) & 15) - zero) * scale,
                QuantizedCode.Int8 => ((sbyte)Lane(layout, codes, i, row) - zero) * scale,
                QuantizedCode.Fp4 => Float4.Widen(Nibble(Unit(layout, codes, i, row), i % UnitInputs)) * scale,
                _ => Float8.Widen(Unit(layout, codes, i, row)[i % UnitInputs]) * scale,
            };
        }
    }

    /// <summary>First bit of an integer code in its line's lane: fours by their second bit of place, then the first, as that makes pairs of inputs.</summary>
    /// <param name="input">Which input of the line.</param>
    public static int CodeShift(int input) => (16 * (input & 1)) + (8 * ((input >> 1) & 1)) + (4 * (input >> 2));

    private static int Nibble(byte* codes, int input) => (input < UnitInputs / 2 ? codes[input] : codes[input - (UnitInputs / 2)] >> 4) & 15;

    /// <summary>One row's part of the unit that holds an input.</summary>
    private static byte* Unit(QuantizedLayout layout, byte* codes, int input, int row) =>
        codes + ((((nint)input / UnitInputs * layout.TileOutputs) + row) * layout.UnitBytes);

    private static int TileCount(QuantizedLayout layout, int rows) => (rows + layout.TileOutputs - 1) / layout.TileOutputs;

    /// <summary>The lane that holds an input's code, with the code in its lowest bits.</summary>
    private static uint Lane(QuantizedLayout layout, byte* codes, int input, int row)
    {
        var (line, inLine) = Math.DivRem(input, layout.LineInputs);
        return ((uint*)codes)[(line * layout.TileOutputs) + row] >> CodeShift(inLine);
    }

    /// <param name="row">Null fills a row that the matrix does not have.</param>
    private static void PackRow(QuantizedTensor tensor, QuantizedLayout layout, int? row, byte* source, byte* tile, int inTile)
    {
        for (var group = 0; group < layout.GroupCount; group++)
        {
            var index = (group * layout.TileOutputs) + inTile;
            StoreScale(layout.ScaleType, row is { } present ? tensor.Scale(present, group) : 0, tile + ((nint)index * layout.ScaleType.SizeBytes()));
            if (layout.HasZeros)
            {
                ((sbyte*)tile)[layout.ZeroOffset + index] = row is { } there ? (sbyte)Math.Clamp(tensor.Zero(there, group), sbyte.MinValue, sbyte.MaxValue) : (sbyte)0;
            }
        }

        var codes = tile + layout.CodeOffset;
        if (layout.IsInteger)
        {
            for (var i = 0; i < layout.Inputs; i += layout.LineInputs)
            {
                uint lane = 0;
                for (var input = 0; input < layout.LineInputs && row is not null; input++)
                {
                    lane |= (uint)source[i + input] << CodeShift(input);
                }

                ((uint*)codes)[(i / layout.LineInputs * layout.TileOutputs) + inTile] = lane;
            }

            return;
        }

        for (var i = 0; i < layout.Inputs; i += UnitInputs)
        {
            var target = new Span<byte>(Unit(layout, codes, i, inTile), layout.UnitBytes);
            if (row is null)
            {
                target.Clear();
            }
            else if (layout.Code == QuantizedCode.Fp4)
            {
                for (var input = 0; input < target.Length; input++)
                {
                    target[input] = (byte)(source[i + input] | (source[i + input + target.Length] << 4));
                }
            }
            else
            {
                new ReadOnlySpan<byte>(source + i, UnitInputs).CopyTo(target);
            }
        }
    }

    private static float LoadScale(ElementType type, byte* source) => type switch
    {
        ElementType.Fp32 => Float32Element.LoadOne(source),
        ElementType.Fp16 => Float16Element.LoadOne(source),
        _ => BFloat16Element.LoadOne(source),
    };

    private static void StoreScale(ElementType type, float value, byte* destination)
    {
        switch (type)
        {
            case ElementType.Fp32:
                Float32Element.StoreOne(value, destination);
                break;
            case ElementType.Fp16:
                Float16Element.StoreOne(value, destination);
                break;
            default:
                BFloat16Element.StoreOne(value, destination);
                break;
        }
    }
}
