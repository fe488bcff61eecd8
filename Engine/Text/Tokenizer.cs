using System.Globalization;
using System.Text;
using Fastgen.Engine.Text.AddedTokens;
using Fastgen.Engine.Text.Decoders;
using Fastgen.Engine.Text.Loading;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Normalizers;
using Fastgen.Engine.Text.PostProcessors;
using Fastgen.Engine.Text.PreTokenizers;

namespace Fastgen.Engine.Text;

/// <summary>A tokenizer as HuggingFace's tokenizer.json, Mistral's tekken.json or SentencePiece's tokenizer.model describes it: text to token ids and back. Safe on many threads at once.</summary>
public sealed class Tokenizer
{
    private static readonly string[] FileNames = ["tokenizer.json", "tekken.json", "tokenizer.model"];
    private readonly Normalizer? _normalizer;
    private readonly PieceTokenizer _pieces;
    private readonly TokenModel _model;
    private readonly PostProcessor? _postProcessor;
    private readonly List<Decoders.Decoder>? _decoders;
    private readonly AddedVocabulary _added;

    internal Tokenizer(TokenizerParts parts)
    {
        _normalizer = parts.Normalizer;
        _model = parts.Model;
        _pieces = new PieceTokenizer(parts.PreTokenizers, _model);
        _postProcessor = parts.PostProcessor;
        _decoders = parts.Decoders;
        _added = new AddedVocabulary(parts.AddedTokens, _model.Vocabulary, _normalizer);
        SpecialTokens = parts.SpecialTokens;
        VocabularySize = Math.Max(_model.Vocabulary.HighestId, _added.HighestId) + 1;
    }

    /// <summary>Highest id plus one, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>What the file itself calls its special tokens, by the keys of tokenizer_config.json (<c>bos_token</c> …): empty for a tokenizer.json, which does not say it.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; }

    /// <summary>The tokenizer file of a model folder: tokenizer.json, else tekken.json, else tokenizer.model, else the latest version of Mistral's tokenizer.model.v1, .v2, .v3 …; null when there is none.</summary>
    public static string? FindFile(string folder) =>
        FileNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists) ?? FindVersion(folder);

    // As mistral-common names them; v7m1 is version 7 for images.
    private static string? FindVersion(string folder)
    {
        const string Prefix = "tokenizer.model.v";
        return !Directory.Exists(folder) ? null : Directory.EnumerateFiles(folder, Prefix + "*")
            .Select(path => (Path: path, Version: Path.GetFileName(path)[Prefix.Length..].Split('m')))
            .Where(file => file.Version.Length <= 2 && file.Version.All(part => part.Length is > 0 and < 6 && part.All(char.IsAsciiDigit)))
            .OrderByDescending(file => int.Parse(file.Version[0], CultureInfo.InvariantCulture)).ThenBy(file => file.Path, StringComparer.Ordinal)
            .Select(file => file.Path).FirstOrDefault();
    }

    /// <summary>Reads the tokenizer of a model folder, or null when it has none.</summary>
    /// <exception cref="TokenizerFormatException">A file is damaged or asks for what is not supported; the message names the part.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static Tokenizer? LoadFolder(string folder) => FindFile(folder) is { } path ? FromFile(path) : null;

    /// <summary>Reads a tokenizer.json, a tekken.json, or a tokenizer.model with the JSON files beside it.</summary>
    /// <param name="path">Files whose name begins with <c>tekken</c> are read as such, those that do not end in <c>.json</c> as SentencePiece models.</param>
    /// <exception cref="TokenizerFormatException">A file is damaged or asks for what is not supported; the message names the part.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static Tokenizer FromFile(string path)
    {
        var bytes = File.ReadAllBytes(path);
        try
        {
            var name = Path.GetFileName(path);
            return name.StartsWith("tekken", StringComparison.OrdinalIgnoreCase) ? ParseTekken(bytes)
                : name.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? Parse(bytes)
                : new Tokenizer(SentencePieceReader.Read(bytes, TokenizerSettings.LoadFolder(Path.GetDirectoryName(Path.GetFullPath(path))!)));
        }
        catch (TokenizerFormatException error)
        {
            throw new TokenizerFormatException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Reads the content of a tokenizer.json.</summary>
    /// <exception cref="TokenizerFormatException">The content is damaged or asks for what is not supported; the message names the part.</exception>
    public static Tokenizer Parse(ReadOnlyMemory<byte> utf8Json) => new(TokenizerReader.Read(utf8Json));

    /// <summary>Reads the content of a tekken.json.</summary>
    /// <exception cref="TokenizerFormatException">The content is damaged or asks for what is not supported; the message names the part.</exception>
    public static Tokenizer ParseTekken(ReadOnlyMemory<byte> utf8Json) => new(TekkenReader.Read(utf8Json));

    /// <summary>Reads the content of a tokenizer.model alone, as SentencePiece wrote it.</summary>
    /// <exception cref="TokenizerFormatException">The content is damaged or asks for what is not supported; the message names the part.</exception>
    public static Tokenizer ParseSentencePiece(ReadOnlySpan<byte> protobuf) => new(SentencePieceReader.Read(protobuf, TokenizerSettings.None));

    /// <summary>The ids of a text. Added tokens in it are recognised, whatever <paramref name="addSpecialTokens"/> says.</summary>
    /// <param name="text">Lone surrogates count as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether to put around it what the post-processor asks for.</param>
    /// <exception cref="TokenizerFormatException">The text needs an unknown token that the file lacks, or a pattern of the file takes unreasonably long.</exception>
    /// <remarks><c>truncation</c> and <c>padding</c> of the file are not applied: the caller decides about lengths.</remarks>
    public int[] Encode(string text, bool addSpecialTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = WellFormed(text);
        var ids = new List<int>((text.Length / 3) + 8);
        var rawSegments = new List<TextSegment>();
        var segments = new List<TextSegment>();
        _added.Raw.Split(text, rawSegments);
        foreach (var raw in rawSegments)
        {
            if (raw.TokenId >= 0)
            {
                ids.Add(raw.TokenId);
                continue;
            }

            var part = raw.Length == text.Length ? text : text.Substring(raw.Start, raw.Length);
            part = _normalizer?.Normalize(part, raw.Start == 0) ?? part;
            segments.Clear();
            _added.Normalized.Split(part, segments);
            foreach (var segment in segments)
            {
                if (segment.TokenId >= 0)
                {
                    ids.Add(segment.TokenId);
                }
                else
                {
                    _pieces.Tokenize(new Piece(part, segment.Start, segment.Length, raw.Start == 0 && segment.Start == 0), ids);
                }
            }
        }

        return [.. _postProcessor?.Process(ids, addSpecialTokens) ?? ids];
    }

    /// <summary>The ids of many texts, on several threads.</summary>
    /// <param name="threads">Most threads at once; 0 takes one per processor.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is negative.</exception>
    /// <exception cref="TokenizerFormatException">As <see cref="Encode"/>, for the first text that it concerns.</exception>
    public int[][] EncodeBatch(IReadOnlyList<string> texts, bool addSpecialTokens, int threads = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        var results = new int[texts.Count][];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads, CancellationToken = cancellationToken };
        try
        {
            Parallel.For(0, texts.Count, options, i => results[i] = Encode(texts[i], addSpecialTokens));
        }
        catch (AggregateException error) when (error.InnerExceptions.OfType<TokenizerFormatException>().FirstOrDefault() is { } first)
        {
            throw new TokenizerFormatException(first.Message, first);
        }

        return results;
    }

    /// <summary>The text of ids. Ids that no token has are left out.</summary>
    /// <param name="skipSpecialTokens">Whether to leave special tokens out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var sink = OpenDecoder(eager: false, out var stage);
        foreach (var id in ids)
        {
            if (TextOf(id, skipSpecialTokens) is { } token)
            {
                stage.Push(token, begins: true);
            }
        }

        stage.Finish();
        return sink.Take();
    }

    /// <summary>The id of a token as the vocabulary spells it, or null.</summary>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _added.IdOf(token) ?? (_model.Vocabulary.IdOf(token) is var id and >= 0 ? id : null);
    }

    /// <summary>The token of an id as the vocabulary spells it, or null.</summary>
    public string? IdToToken(int id) =>
        _added.TokenOf(id) ?? (_model.Vocabulary.TryGetToken(id, out var token) ? Encoding.UTF8.GetString(token) : null);

    /// <summary>Whether an id is that of a special token, such as an end of turn.</summary>
    public bool IsSpecial(int id) => IdToToken(id) is { } token && _added.IsSpecial(token);

    /// <summary>The bytes that a token stands for in the middle of a text; part of a character's UTF-8 perhaps, and empty for an unknown id.</summary>
    public byte[] TokenBytes(int id)
    {
        if (IdToToken(id) is not { } token)
        {
            return [];
        }

        foreach (var decoder in _decoders ?? [])
        {
            switch (decoder)
            {
                case ByteLevelDecoder:
                    var bytes = new List<byte>();
                    ByteAlphabet.Unmap(token, bytes);
                    return [.. bytes];
                case ByteFallbackDecoder when ByteFallbackDecoder.TryParse(token, out var value):
                    return [value];
                case FuseDecoder:
                    return Encoding.UTF8.GetBytes(token);
                default:
                    token = decoder.MapToken(token);
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(token);
    }

    /// <summary>Starts a run of the decoders.</summary>
    internal TextSink OpenDecoder(bool eager, out DecoderStage stage)
    {
        var sink = new TextSink(_decoders is null ? " " : "");
        stage = Decoders.Decoder.Open(_decoders ?? [], sink, eager);
        return sink;
    }

    /// <summary>The token that decoding sees; null when it sees none.</summary>
    internal string? TextOf(int id, bool skipSpecialTokens) =>
        IdToToken(id) is { } token && !(skipSpecialTokens && _added.IsSpecial(token)) ? token : null;

    private static string WellFormed(string text)
    {
        for (var i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            }
        }

        return text;
    }
}
