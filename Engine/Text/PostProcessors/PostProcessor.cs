namespace Fastgen.Engine.Text.PostProcessors;

/// <summary>Puts special tokens around the ids of a text.</summary>
internal abstract class PostProcessor
{
    /// <summary>The ids with what belongs around them; may be the same list.</summary>
    public abstract List<int> Process(List<int> ids, bool addSpecialTokens);
}
