namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>How a multimodal checkpoint spells the names of its language model's tensors.</summary>
/// <param name="Body">Stands in place of <c>model.</c>.</param>
/// <param name="Head">Stands in place of <c>lm_head.</c>.</param>
/// <remarks>transformers has changed the order of the parts over time, and reads all of them.</remarks>
internal sealed record TensorNames(string Body, string Head)
{
    private const string PlainBody = "model.";
    private const string PlainHead = "lm_head.";

    private static readonly string[] Bodies = ["language_model.model.", "model.language_model.", "language_model.", PlainBody];
    private static readonly string[] Heads = ["language_model.lm_head.", PlainHead, "model.lm_head."];

    /// <summary>What a language model has below its body.</summary>
    private static readonly string[] Parts = ["layers.", "embed_tokens.", "norm."];

    /// <param name="stored">Names of all tensors.</param>
    public static TensorNames Find(IReadOnlyCollection<string> stored) => new(
        Bodies.FirstOrDefault(body => stored.Any(name => IsBelow(name, body))) ?? Bodies[0],
        Heads.FirstOrDefault(head => stored.Any(name => name.StartsWith(head, StringComparison.Ordinal))) ?? PlainHead);

    /// <summary>The name in the checkpoint of a tensor that a model of text alone calls <paramref name="name"/>.</summary>
    public string Stored(string name) => name.StartsWith(PlainHead, StringComparison.Ordinal) ? Head + name[PlainHead.Length..]
        : name.StartsWith(PlainBody, StringComparison.Ordinal) ? Body + name[PlainBody.Length..]
        : name;

    /// <summary>Whether a stored tensor belongs to the language model.</summary>
    public bool IsText(string stored) => stored.StartsWith(Head, StringComparison.Ordinal) || IsBelow(stored, Body);

    private static bool IsBelow(string name, string body) =>
        name.StartsWith(body, StringComparison.Ordinal) && Parts.Any(part => name.AsSpan(body.Length).StartsWith(part, StringComparison.Ordinal));
}
