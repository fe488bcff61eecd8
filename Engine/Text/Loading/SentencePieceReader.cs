using System.Text;
using Fastgen.Engine.Text.AddedTokens;
using Fastgen.Engine.Text.Decoders;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Normalizers;
using Fastgen.Engine.Text.Patterns;
using Fastgen.Engine.Text.PostProcessors;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads a tokenizer.model with what lies beside it.</summary>
/// <remarks>
/// Text becomes ids as the SentencePiece library does it, between added tokens; <c>legacy</c> and <c>add_prefix_space</c> of
/// tokenizer_config.json mean what they mean for HuggingFace's Llama tokenizer. Control pieces are looked for in the text, and
/// ids become text, as in the tokenizers that HuggingFace converts such files to.
/// </remarks>
internal static class SentencePieceReader
{
    /// <exception cref="TokenizerFormatException">The file is damaged or asks for what is not supported.</exception>
    public static TokenizerParts Read(ReadOnlySpan<byte> bytes, TokenizerSettings settings)
    {
        var file = SentencePieceFile.Parse(bytes);
        var vocabulary = ReadVocabulary(file);
        var rules = new SentencePieceRules(
            file.CharacterMap.Length == 0 ? null : new CharacterMap(file.CharacterMap, "normalizer_spec.precompiled_charsmap"),
            file.AddDummyPrefix && (settings.Legacy || settings.AddPrefixSpace),
            PrefixAtStartOnly: !settings.Legacy,
            file.RemoveExtraSpaces,
            file.EscapeSpaces,
            file.SpaceIsSuffix);
        var added = AddedTokens(file, settings);
        var userDefined = new PieceTrie();
        foreach (var (text, _, _) in file.Pieces.Where(piece => piece.Type == SentencePieceType.UserDefined))
        {
            userDefined.Add(text, 0);
        }

        return new TokenizerParts(
            new SentencePieceNormalizer(rules, userDefined),
            [],
            BuildModel(file, vocabulary),
            BuildPostProcessor(file, settings, vocabulary, added),
            BuildDecoders(file, rules),
            added)
        {
            SpecialTokens = Named(("bos_token", file.BosPiece), ("eos_token", file.EosPiece), ("unk_token", Encoding.UTF8.GetString(file.Pieces[file.UnknownId].Text))),
        };

        Dictionary<string, string> Named(params ReadOnlySpan<(string Key, string Piece)> pieces)
        {
            var named = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (key, piece) in pieces)
            {
                if (vocabulary.IdOf(piece) >= 0)
                {
                    named.Add(key, piece);
                }
            }

            return named;
        }
    }

    private static Vocabulary ReadVocabulary(SentencePieceFile file)
    {
        var vocabulary = new Vocabulary();
        for (var id = 0; id < file.Pieces.Count; id++)
        {
            var text = file.Pieces[id].Text;
            if (vocabulary.IdOf(text) is var known and >= 0)
            {
                throw new TokenizerFormatException($"tokenizer.model has the piece \"{Encoding.UTF8.GetString(text)}\" twice, {known} and {id}; fetch the file again.");
            }

            vocabulary.Add(text, id);
        }

        vocabulary.Seal();
        return vocabulary;
    }

    private static TokenModel BuildModel(SentencePieceFile file, Vocabulary vocabulary)
    {
        if (file.IsBpe)
        {
            int[]? bytes = file.ByteFallback ? [.. Enumerable.Range(0, 256).Select(value => vocabulary.IdOf($"<0x{value:X2}>"))] : null;
            return new SentencePieceBpeModel(SentencePieceMerges.Of(file, vocabulary), file.UnknownId, bytes);
        }

        var normal = file.Pieces.Where(piece => piece.Type == SentencePieceType.Normal).Select(piece => piece.Score).DefaultIfEmpty().ToArray();
        var (lowest, highest) = (normal.Min(), normal.Max());
        var scores = file.Pieces.Select(piece => piece.Type switch
        {
            SentencePieceType.Normal => piece.Score,

            // Such a piece is worth more than any cut of it.
            SentencePieceType.UserDefined => (piece.Text.Length * highest) - 0.1,
            _ => double.NaN,
        });
        return UnigramModel.ForSentencePiece(
            vocabulary, [.. file.Pieces.Select(piece => piece.Text)], [.. scores], file.UnknownId, file.ByteFallback, lowest - (float)UnigramModel.UnknownPenalty);
    }

    private static List<AddedToken> AddedTokens(SentencePieceFile file, TokenizerSettings settings)
    {
        var tokens = settings.Tokens.OrderBy(token => token.FixedId ?? int.MaxValue).ToList();
        var known = tokens.Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        foreach (var (text, _, type) in file.Pieces)
        {
            var content = Encoding.UTF8.GetString(text);
            if (type is SentencePieceType.Control or SentencePieceType.Unknown && known.Add(content))
            {
                tokens.Add(new AddedToken(content, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false, Special: true));
            }
        }

        return tokens;
    }

    private static TemplatePostProcessor? BuildPostProcessor(SentencePieceFile file, TokenizerSettings settings, Vocabulary vocabulary, List<AddedToken> added)
    {
        var ids = new AddedVocabulary(added, vocabulary, normalizer: null);
        int? bos = settings.AddBos ? IdOf(settings.Named("bos_token") ?? file.BosPiece) : null;
        int? eos = settings.AddEos ? IdOf(settings.Named("eos_token") ?? file.EosPiece) : null;
        return bos is null && eos is null ? null : new TemplatePostProcessor([bos is { } first ? [first] : [], null, eos is { } last ? [last] : []]);

        int? IdOf(string token) => ids.IdOf(token) ?? (vocabulary.IdOf(token) is var id and >= 0 ? id : null);
    }

    private static List<Decoders.Decoder> BuildDecoders(SentencePieceFile file, SentencePieceRules rules)
    {
        var decoders = new List<Decoders.Decoder>();
        if (file.EscapeSpaces)
        {
            decoders.Add(new ReplaceDecoder(new LiteralPattern("\u2581"), " "));
        }

        if (file.ByteFallback)
        {
            decoders.Add(new ByteFallbackDecoder());
        }

        decoders.Add(new FuseDecoder());
        if (rules.AddPrefix)
        {
            decoders.Add(new StripDecoder(new Rune(' '), rules.SpaceIsSuffix ? 0 : 1, rules.SpaceIsSuffix ? 1 : 0));
        }

        return decoders;
    }
}
