using System.Text.Json;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.PostProcessors;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads <c>post_processor</c>.</summary>
internal static class PostProcessorReader
{
    private const string Supported = "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence";

    /// <summary>The post-processor, or null.</summary>
    public static PostProcessor? Read(JsonPart part) => part.IsNull ? null : ReadPart(part);

    private static PostProcessor ReadPart(JsonPart part)
    {
        var type = part["type"].String();
        switch (type)
        {
            case "TemplateProcessing":
                return ReadTemplate(part);
            case "BertProcessing":
                return new TemplatePostProcessor([[ReadPairId(part["cls"])], null, [ReadPairId(part["sep"])]]);
            case "RobertaProcessing":
                _ = part["trim_offsets"].Boolean();
                _ = part["add_prefix_space"].Boolean();
                return new TemplatePostProcessor([[ReadPairId(part["cls"])], null, [ReadPairId(part["sep"])]]);
            case "ByteLevel":
                // Moves offsets alone, and there are none here.
                _ = part["trim_offsets"].Boolean();
                _ = part["add_prefix_space"].Boolean();
                return new SequencePostProcessor([]);
            case "Sequence":
                return new SequencePostProcessor([.. part["processors"].Items().Select(ReadPart)]);
            default:
                throw part.Unsupported(type, Supported);
        }
    }

    private static TemplatePostProcessor ReadTemplate(JsonPart part)
    {
        // The template for pairs is not used, but the reference reads it, and so do we.
        ReadPieces(part["pair"], part["special_tokens"], allowSecond: true);
        return new TemplatePostProcessor(ReadPieces(part["single"], part["special_tokens"], allowSecond: false));
    }

    private static List<int[]?> ReadPieces(JsonPart template, JsonPart specialTokens, bool allowSecond)
    {
        if (specialTokens.Element.ValueKind != JsonValueKind.Object)
        {
            throw specialTokens.Error("must be an object");
        }

        var result = new List<int[]?>();
        foreach (var piece in template.Items())
        {
            if (!piece["Sequence"].IsNull)
            {
                var id = piece["Sequence"]["id"].String();
                _ = piece["Sequence"]["type_id"].Integer();
                result.Add(id == "A" || (id == "B" && allowSecond) ? null : throw piece.Error($"has sequence \"{id}\" where only {(allowSecond ? "A and B" : "A")} can stand"));
                continue;
            }

            if (piece["SpecialToken"].IsNull)
            {
                throw piece.Error("must have \"Sequence\" or \"SpecialToken\"");
            }

            var name = piece["SpecialToken"]["id"].String();
            _ = piece["SpecialToken"]["type_id"].Integer();
            var token = specialTokens[name];
            if (token.IsNull)
            {
                throw piece.Error($"names the special token \"{name}\", which {specialTokens.Path} does not define");
            }

            _ = token["id"].String();
            foreach (var text in token["tokens"].Items())
            {
                _ = text.String();
            }

            result.Add([.. token["ids"].Items().Select(id => id.Integer(Vocabulary.MaxId))]);
        }

        return result;
    }

    private static int ReadPairId(JsonPart part)
    {
        var items = part.Items().ToArray();
        if (items.Length != 2)
        {
            throw part.Error("must be a pair of token and id");
        }

        _ = items[0].String();
        return items[1].Integer(Vocabulary.MaxId);
    }
}
