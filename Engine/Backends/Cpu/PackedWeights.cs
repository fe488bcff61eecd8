using System.Runtime.Intrinsics;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A layout of weights of two bytes that a thread reads as one stream: tiles of four rows, [tile, group, row, lane, 2].</summary>
/// <remarks>A group is two vectors of inputs; a line is one row's part of it. Lane i of a line holds the i-th input in its lower
/// half and the one a vector further in its upper half, so that widening is a shift or a mask and each lane adds the same
/// inputs in the same order as over plain rows. A last tile of fewer rows is filled with zeros.</remarks>
internal static unsafe class PackedWeights
{
    /// <summary>Inputs of a group.</summary>
    public static int GroupInputs => 2 * Lanes;

    private static int Lanes => Vector512.IsHardwareAccelerated ? Simd512.Lanes : Simd256.Lanes;

    /// <summary>Whether rows of a type and length fit: activations are padded to 16 only, so odd numbers of groups stay plain rows.</summary>
    public static bool CanHold(ElementType type, int columns) => type.SizeBytes() == sizeof(ushort) && CpuTensor.Pad(columns) % GroupInputs == 0;

    public static long ByteCount(int rows, int columns) =>
        (long)((rows + LinearKernel.TileOutputs - 1) / LinearKernel.TileOutputs) * LinearKernel.TileOutputs * CpuTensor.Pad(columns) * sizeof(ushort);

    /// <param name="tensor">[rows, columns] of a type of two bytes.</param>
    /// <param name="destination">As many bytes as <see cref="ByteCount"/> says, overwritten.</param>
    public static void Pack(HostTensor tensor, byte* destination)
    {
        const int PieceBytes = 4 << 20;
        var (rows, columns) = (tensor.Rows, tensor.Columns);
        var source = (ushort*)tensor.Data;
        var tileBytes = (nint)CpuTensor.Pad(columns) * sizeof(ushort) * LinearKernel.TileOutputs;
        var tiles = (rows + LinearKernel.TileOutputs - 1) / LinearKernel.TileOutputs;
        var tilesPerPiece = (int)Math.Max(1, PieceBytes / tileBytes);
        Parallel.For(0, (tiles + tilesPerPiece - 1) / tilesPerPiece, piece =>
        {
            var end = Math.Min((piece + 1) * tilesPerPiece, tiles);
            for (var tile = piece * tilesPerPiece; tile < end; tile++)
            {
                for (var row = 0; row < LinearKernel.TileOutputs; row++)
                {
                    var index = (tile * LinearKernel.TileOutputs) + row;
                    PackRow(source + ((nint)index * columns), index < rows ? columns : 0, CpuTensor.Pad(columns), destination + (tile * tileBytes) + (row * Lanes * sizeof(uint)));
                }
            }
        });
    }

    /// <summary>Widens one row.</summary>
    /// <param name="tile">First byte of the tile that holds the row.</param>
    /// <param name="row">Which of its rows.</param>
    /// <param name="destination">[columns]</param>
    public static void WidenRow(ElementType type, byte* tile, int row, float* destination, int columns)
    {
        var line = (ushort*)(tile + (row * Lanes * sizeof(uint)));
        for (var k = 0; k < columns; k++)
        {
            var (group, inGroup) = Math.DivRem(k, GroupInputs);
            var (half, lane) = Math.DivRem(inGroup, Lanes);
            var value = (byte*)(line + (group * GroupInputs * LinearKernel.TileOutputs) + (lane * 2) + half);
            destination[k] = type == ElementType.Fp16 ? Float16Element.LoadOne(value) : BFloat16Element.LoadOne(value);
        }
    }

    /// <param name="columns">Values of the row; what follows up to <paramref name="padded"/> is zero.</param>
    private static void PackRow(ushort* source, int columns, int padded, byte* line)
    {
        for (var k = 0; k < padded; k += GroupInputs)
        {
            if (k + GroupInputs <= columns)
            {
                for (var lane = 0; lane < Lanes; lane += 8)
                {
                    var low = Vector256.WidenLower(Vector128.Load(source + k + lane).ToVector256Unsafe());
                    var high = Vector256.WidenLower(Vector128.Load(source + k + lane + Lanes).ToVector256Unsafe());
                    (low | (high << 16)).Store((uint*)line + lane);
                }
            }
            else
            {
                for (var lane = 0; lane < Lanes; lane++)
                {
                    var low = k + lane < columns ? (uint)source[k + lane] : 0;
                    var high = k + lane + Lanes < columns ? (uint)source[k + lane + Lanes] : 0;
                    ((uint*)line)[lane] = low | (high << 16);
                }
            }

            line += LinearKernel.TileOutputs * Lanes * sizeof(uint);
        }
    }
}
