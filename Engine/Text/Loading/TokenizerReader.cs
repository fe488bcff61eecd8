using System.Text.Json;
using Fastgen.Engine.Text.AddedTokens;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads tokenizer.json.</summary>
internal static class TokenizerReader
{
    private const int MaxDepth = 64;

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="TokenizerFormatException">The file is damaged or asks for what is not supported.</exception>
    public static TokenizerParts Read(ReadOnlyMemory<byte> json)
    {
        if (json.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
        {
            json = json[3..];
        }

        try
        {
            return ReadRoot(json);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // The JSON reader answers bytes that are not UTF-8 with InvalidOperationException.
            throw new TokenizerFormatException($"tokenizer.json is not valid JSON: {error.Message} Fetch the file again.", error);
        }
    }

    private static TokenizerParts ReadRoot(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span, new JsonReaderOptions { MaxDepth = MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonPart(default, "").Error("must be an object");
        }

        var parts = new Dictionary<string, JsonPart>(StringComparer.Ordinal);
        TokenModel? model = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == "model")
            {
                model = ModelReader.Read(ref reader, json);
            }
            else
            {
                parts[name] = new JsonPart(JsonElement.ParseValue(ref reader), name);
            }
        }

        if (reader.Read())
        {
            throw new JsonPart(default, "").Error("is followed by more");
        }

        var version = parts.GetValueOrDefault("version", new JsonPart(default, "version"));
        if (!version.IsNull && version.String() != "1.0")
        {
            throw version.Error($"is \"{version.String()}\" but must be \"1.0\"");
        }

        var decoders = DecoderReader.Read(Part("decoder"));
        return new TokenizerParts(
            NormalizerReader.Read(Part("normalizer")),
            PreTokenizerReader.Read(Part("pre_tokenizer")),
            model ?? throw new JsonPart(default, "model").Error("is missing"),
            PostProcessorReader.Read(Part("post_processor")),
            decoders,
            Part("added_tokens").IsNull ? [] : [.. Part("added_tokens").Items().Select(ReadAddedToken)]);

        JsonPart Part(string name) => parts.GetValueOrDefault(name, new JsonPart(default, name));
    }

    private static AddedToken ReadAddedToken(JsonPart part)
    {
        _ = part["id"].Integer(Vocabulary.MaxId);
        return new AddedToken(
            part["content"].String(),
            part["single_word"].Boolean(),
            part["lstrip"].Boolean(),
            part["rstrip"].Boolean(),
            part["normalized"].Boolean(),
            part["special"].Boolean());
    }
}
