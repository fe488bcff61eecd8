namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>What happens to a delimiter.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}
