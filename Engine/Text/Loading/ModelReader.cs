using System.Text.Json;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads <c>model</c> in one pass, without a document in memory: a vocabulary has hundreds of thousands of entries.</summary>
internal sealed class ModelReader
{
    private readonly ReadOnlyMemory<byte> _json;
    private readonly Dictionary<string, JsonElement> _settings = new(StringComparer.Ordinal);
    private readonly Vocabulary _vocabulary = new();
    private readonly List<byte[]> _pieces = [];
    private readonly List<double> _scores = [];
    private JsonTokenType _vocabularyKind;
    private int _mergesStart = -1;

    private ModelReader(ReadOnlyMemory<byte> json) => _json = json;

    /// <summary>Reads the model at the reader's current object.</summary>
    public static TokenModel Read(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error("model", "must be an object");
        }

        var model = new ModelReader(json);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "vocab":
                    model.ReadVocabulary(ref reader);
                    break;
                case "merges":
                    // They name tokens, so they wait until the vocabulary is known.
                    model._mergesStart = (int)reader.TokenStartIndex;
                    reader.Skip();
                    break;
                default:
                    model._settings[name] = JsonElement.ParseValue(ref reader);
                    break;
            }
        }

        model._vocabulary.Seal();
        return model.Build();
    }

    private TokenModel Build()
    {
        var type = Setting("type").OptionalString() ?? GuessType();
        return type switch
        {
            "BPE" => BuildBpe(),
            "Unigram" => BuildUnigram(),
            "WordPiece" or "WordLevel" => throw Setting("type").Unsupported(type, "BPE and Unigram; WordPiece and WordLevel are for other kinds of models"),
            _ => throw Setting("type").Unsupported(type, "BPE and Unigram"),
        };
    }

    // Old files have no type.
    private string GuessType() => _vocabularyKind == JsonTokenType.StartArray ? "Unigram"
        : _mergesStart >= 0 ? "BPE"
        : _settings.ContainsKey("continuing_subword_prefix") ? "WordPiece" : "WordLevel";

    private BpeModel BuildBpe()
    {
        if (_vocabularyKind != JsonTokenType.StartObject)
        {
            throw Error("model.vocab", "must be an object from token to id");
        }

        if (_mergesStart < 0)
        {
            throw Error("model.merges", "is missing");
        }

        var dropout = Setting("dropout");
        if (!dropout.IsNull && !(dropout.Element.ValueKind == JsonValueKind.Number && dropout.Element.GetDouble() == 0))
        {
            throw new TokenizerFormatException($"tokenizer.json: model.dropout is {dropout.Element.GetRawText()}, but dropout makes encoding random and is not supported; set it to null.");
        }

        var options = new BpeOptions
        {
            UnknownToken = Setting("unk_token").OptionalString(),
            ContinuingSubwordPrefix = Setting("continuing_subword_prefix").OptionalString() ?? "",
            EndOfWordSuffix = Setting("end_of_word_suffix").OptionalString() ?? "",
            FuseUnknown = Setting("fuse_unk").Boolean(false),
            ByteFallback = Setting("byte_fallback").Boolean(false),
            IgnoreMerges = Setting("ignore_merges").Boolean(false),
        };
        var merges = MergeReader.Read(_json.Span[_mergesStart..], _vocabulary, options.ContinuingSubwordPrefix);
        return new BpeModel(_vocabulary, merges, options);
    }

    private UnigramModel BuildUnigram()
    {
        if (_vocabularyKind != JsonTokenType.StartArray)
        {
            throw Error("model.vocab", "must be an array of tokens with scores");
        }

        var unknown = Setting("unk_id");
        if (!unknown.IsNull && unknown.Integer() >= _pieces.Count)
        {
            throw unknown.Error($"is {unknown.Integer()}, but the vocabulary has {_pieces.Count} tokens");
        }

        return new UnigramModel(_vocabulary, _pieces, [.. _scores], unknown.IsNull ? -1 : unknown.Integer(), Setting("byte_fallback").Boolean(false));
    }

    private void ReadVocabulary(ref Utf8JsonReader reader)
    {
        _vocabularyKind = reader.TokenType;
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                ReadMap(ref reader);
                break;
            case JsonTokenType.StartArray:
                ReadScored(ref reader);
                break;
            default:
                throw Error("model.vocab", "must be an object or an array");
        }
    }

    private void ReadMap(ref Utf8JsonReader reader)
    {
        Span<byte> scratch = stackalloc byte[512];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var length = reader.ValueSpan.Length;
            scoped ReadOnlySpan<byte> token;
            if (!reader.ValueIsEscaped)
            {
                token = reader.ValueSpan;
            }
            else
            {
                var target = length <= scratch.Length ? scratch : new byte[length];
                token = target[..reader.CopyString(target)];
            }

            // The token lies in the file or in the scratch, neither of which reading the id touches.
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var id) || id < 0 || id > Vocabulary.MaxId)
            {
                throw Error($"model.vocab[\"{System.Text.Encoding.UTF8.GetString(token)}\"]", $"must be an id from 0 to {Vocabulary.MaxId}");
            }

            _vocabulary.Add(token, id);
        }
    }

    private void ReadScored(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.StartArray)
        {
            reader.Read();
            var token = reader.TokenType == JsonTokenType.String ? System.Text.Encoding.UTF8.GetBytes(reader.GetString()!) : null;
            reader.Read();
            if (token is null || reader.TokenType != JsonTokenType.Number || !reader.TryGetDouble(out var score)
                || !reader.Read() || reader.TokenType != JsonTokenType.EndArray || _pieces.Count > Vocabulary.MaxId)
            {
                throw Error($"model.vocab[{_pieces.Count}]", "must be a pair of token and score");
            }

            _vocabulary.Add(token, _pieces.Count);
            _pieces.Add(token);
            _scores.Add(score);
        }

        if (reader.TokenType != JsonTokenType.EndArray)
        {
            throw Error($"model.vocab[{_pieces.Count}]", "must be a pair of token and score");
        }
    }

    private JsonPart Setting(string name) => new(_settings.GetValueOrDefault(name), $"model.{name}");

    private static TokenizerFormatException Error(string path, string what) => new JsonPart(default, path).Error(what);
}
