using System.Text;
using Fastgen.Engine.Text.Decoders;
using Fastgen.Engine.Text.PreTokenizers;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads <c>decoder</c>.</summary>
internal static class DecoderReader
{
    private const string Supported = "ByteLevel, ByteFallback, Metaspace, Fuse, Strip, Replace, BPEDecoder, WordPiece and Sequence";

    /// <summary>The decoders in the order in which they run, sequences flattened; null when there is none.</summary>
    public static List<Decoders.Decoder>? Read(JsonPart part)
    {
        if (part.IsNull)
        {
            return null;
        }

        var result = new List<Decoders.Decoder>();
        ReadPart(part, result);
        return result;
    }

    private static void ReadPart(JsonPart part, List<Decoders.Decoder> result)
    {
        var type = part["type"].String();
        switch (type)
        {
            case "Sequence":
                foreach (var item in part["decoders"].Items())
                {
                    ReadPart(item, result);
                }

                break;
            case "ByteLevel":
                _ = part["add_prefix_space"].Boolean();
                _ = part["trim_offsets"].Boolean();
                _ = part["use_regex"].Boolean(true);
                result.Add(new ByteLevelDecoder());
                break;
            case "ByteFallback":
                result.Add(new ByteFallbackDecoder());
                break;
            case "Fuse":
                result.Add(new FuseDecoder());
                break;
            case "Strip":
                result.Add(new StripDecoder(new Rune(char.ConvertToUtf32(part["content"].Character(), 0)), part["start"].Integer(), part["stop"].Integer()));
                break;
            case "Replace":
                result.Add(new ReplaceDecoder(NormalizerReader.ReadPattern(part["pattern"]), part["content"].String()));
                break;
            case "Metaspace":
                result.Add(new MetaspaceDecoder(part["replacement"].Character(), PreTokenizerReader.ReadPrepend(part) != MetaspacePrepend.Never));
                break;
            case "BPEDecoder":
                result.Add(new BpeDecoder(part["suffix"].String()));
                break;
            case "WordPiece":
                result.Add(new WordPieceDecoder(part["prefix"].String(), part["cleanup"].Boolean()));
                break;
            default:
                throw part.Unsupported(type, Supported);
        }
    }
}
