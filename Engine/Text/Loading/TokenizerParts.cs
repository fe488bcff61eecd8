using Fastgen.Engine.Text.AddedTokens;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Normalizers;
using Fastgen.Engine.Text.PostProcessors;
using Fastgen.Engine.Text.PreTokenizers;

namespace Fastgen.Engine.Text.Loading;

/// <summary>What a tokenizer is made of.</summary>
internal sealed record TokenizerParts(
    Normalizer? Normalizer,
    List<PreTokenizer> PreTokenizers,
    TokenModel Model,
    PostProcessor? PostProcessor,
    List<Decoders.Decoder>? Decoders,
    IReadOnlyList<AddedToken> AddedTokens)
{
    /// <summary>What the file itself calls its special tokens, by the keys of tokenizer_config.json; empty where only that file says it.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; init; } = new Dictionary<string, string>();
}
