namespace Fastgen.Engine.Text.PostProcessors;

/// <summary>Special tokens and the text in the order of a template.</summary>
/// <param name="template">Ids of special tokens; null stands for the text.</param>
internal sealed class TemplatePostProcessor(IReadOnlyList<int[]?> template) : PostProcessor
{
    /// <inheritdoc/>
    public override List<int> Process(List<int> ids, bool addSpecialTokens)
    {
        var result = new List<int>(ids.Count + 4);
        foreach (var part in template)
        {
            if (part is null)
            {
                result.AddRange(ids);
            }
            else if (addSpecialTokens)
            {
                result.AddRange(part);
            }
        }

        return result;
    }
}
