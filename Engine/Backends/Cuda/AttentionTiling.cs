namespace Fastgen.Engine.Backends.Cuda;

/// <summary>How much of queries and keys the attention kernels hold at a time: as much as suits them, less where the device's shared memory is small.</summary>
/// <param name="QueryTiles">Of 16 queries that a warp of the prompt kernel has.</param>
/// <param name="KeyTile">Keys of the prompt kernel's tile.</param>
/// <param name="DecodeStages">Tiles of keys that a warp of the decode kernel has in shared memory.</param>
internal readonly record struct AttentionTiling(int QueryTiles, int KeyTile, int DecodeStages)
{
    private const int DecodeWarps = 4;
    private const int DecodeTokens = 16;

    /// <summary>Queries per tile of the prompt kernel.</summary>
    public int QueryTile => 64 * QueryTiles;

    /// <summary>The largest that fits, else the smallest there is.</summary>
    public static AttentionTiling For(AttentionLayout layout, int sharedBytes)
    {
        int dim = layout.HeadDim;
        AttentionTiling tiling = new(dim > 128 ? 1 : 2, 64, dim > 128 ? 2 : dim > 96 ? 3 : 4);
        while (tiling.DecodeSharedBytes(layout) > sharedBytes && tiling.DecodeStages > 2)
        {
            tiling = tiling with { DecodeStages = tiling.DecodeStages - 1 };
        }

        if (tiling.PromptSharedBytes(layout) > sharedBytes)
        {
            tiling = tiling with { QueryTiles = 1 };
        }

        return tiling.PromptSharedBytes(layout) > sharedBytes ? tiling with { KeyTile = 32 } : tiling;
    }

    /// <summary>Keys and values of all warps, and what they merge.</summary>
    /// <param name="bulkCopies">Hopper's copy engine brings keys and values: rows without padding, from a line of 128 bytes on.</param>
    public int DecodeSharedBytes(AttentionLayout layout, bool bulkCopies = false) =>
        (DecodeWarps * DecodeStages * 2 * DecodeTokens * (bulkCopies ? layout.HeadDim : Row(layout)) * 2) + (DecodeWarps * layout.GroupSize * (layout.HeadDim + 2) * sizeof(float)) + (bulkCopies ? 128 : 0);

    /// <summary>A tile of queries, two of keys and two of values.</summary>
    public int PromptSharedBytes(AttentionLayout layout) => (QueryTile + (4 * KeyTile)) * Row(layout) * 2;

    /// <summary>Elements of a row in shared memory: whole steps of the tensor cores and 16 bytes that keep banks apart.</summary>
    private static int Row(AttentionLayout layout) => ((layout.HeadDim + 15) / 16 * 16) + 8;
}
