namespace Fastgen.Engine.Backends;

/// <summary>Shape of attention, the same in all layers.</summary>
/// <param name="HeadCount">Query heads.</param>
/// <param name="KeyValueHeadCount">Key and value heads; query head h uses head h × KeyValueHeadCount / HeadCount.</param>
/// <param name="HeadDim">Dimensions of a head.</param>
internal readonly record struct AttentionLayout(int HeadCount, int KeyValueHeadCount, int HeadDim)
{
    /// <summary>Query heads that share a key and value head.</summary>
    public int GroupSize => HeadCount / KeyValueHeadCount;

    /// <summary>Columns of a row that holds queries, keys and values one after the other.</summary>
    public int QkvColumns => (HeadCount + (2 * KeyValueHeadCount)) * HeadDim;
}
