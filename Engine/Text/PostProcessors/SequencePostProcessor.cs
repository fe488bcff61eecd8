namespace Fastgen.Engine.Text.PostProcessors;

/// <summary>One post-processor after the other.</summary>
internal sealed class SequencePostProcessor(IReadOnlyList<PostProcessor> parts) : PostProcessor
{
    /// <inheritdoc/>
    public override List<int> Process(List<int> ids, bool addSpecialTokens) =>
        parts.Aggregate(ids, (current, part) => part.Process(current, addSpecialTokens));
}
