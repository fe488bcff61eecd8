using Fastgen.Engine.Text.Patterns;
using Fastgen.Engine.Text.PreTokenizers;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads <c>pre_tokenizer</c>.</summary>
internal static class PreTokenizerReader
{
    private const string Supported = "ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, UnicodeScripts, CharDelimiterSplit, FixedLength and Sequence";

    /// <summary>The pre-tokenizers in the order in which they run, sequences flattened.</summary>
    public static List<PreTokenizer> Read(JsonPart part)
    {
        var result = new List<PreTokenizer>();
        if (!part.IsNull)
        {
            ReadPart(part, result);
        }

        return result;
    }

    /// <summary>The prepend scheme of a Metaspace part.</summary>
    public static MetaspacePrepend ReadPrepend(JsonPart part)
    {
        var scheme = part["prepend_scheme"].Element.ValueKind == System.Text.Json.JsonValueKind.Undefined ? "always" : part["prepend_scheme"].String();
        var prepend = scheme switch
        {
            "always" => MetaspacePrepend.Always,
            "first" => MetaspacePrepend.First,
            "never" => MetaspacePrepend.Never,
            _ => throw part["prepend_scheme"].Error($"is \"{scheme}\" but must be always, first or never"),
        };
        var addPrefixSpace = part["add_prefix_space"].IsNull || part["add_prefix_space"].Boolean();
        return addPrefixSpace || prepend == MetaspacePrepend.Never
            ? prepend
            : throw part["add_prefix_space"].Error($"is false, which contradicts prepend_scheme \"{scheme}\"");
    }

    private static void ReadPart(JsonPart part, List<PreTokenizer> result)
    {
        var type = part["type"].String();
        switch (type)
        {
            case "Sequence":
                foreach (var item in part["pretokenizers"].Items())
                {
                    ReadPart(item, result);
                }

                break;
            case "ByteLevel":
                _ = part["trim_offsets"].Boolean();
                result.Add(new ByteLevelPreTokenizer(part["add_prefix_space"].Boolean(), part["use_regex"].Boolean(true), map: true));
                break;
            case "Split":
                result.Add(ReadSplit(part));
                break;
            case "Metaspace":
                result.Add(new MetaspacePreTokenizer(part["replacement"].Character(), ReadPrepend(part), part["split"].IsNull || part["split"].Boolean()));
                break;
            case "Digits":
                result.Add(new CharacterPreTokenizer(CharProperties.IsNumeric, part["individual_digits"].Boolean() ? SplitBehavior.Isolated : SplitBehavior.Contiguous));
                break;
            case "Punctuation":
                var behavior = part["behavior"];
                result.Add(new CharacterPreTokenizer(CharProperties.IsPunctuation, behavior.IsNull ? SplitBehavior.Isolated : ReadBehavior(behavior)));
                break;
            case "Whitespace":
                result.Add(new PatternPreTokenizer(new RegexPattern(@"[\w\x{200C}\x{200D}]+|[^\w\x{200C}\x{200D}\s]+"), SplitBehavior.Removed, invert: true));
                break;
            case "WhitespaceSplit":
                result.Add(new CharacterPreTokenizer(CharProperties.IsWhiteSpace, SplitBehavior.Removed));
                break;
            case "BertPreTokenizer":
                result.Add(new CharacterPreTokenizer(CharProperties.IsWhiteSpace, SplitBehavior.Removed));
                result.Add(new CharacterPreTokenizer(CharProperties.IsPunctuation, SplitBehavior.Isolated));
                break;
            case "UnicodeScripts":
                result.Add(new UnicodeScriptsPreTokenizer());
                break;
            case "CharDelimiterSplit":
                var delimiter = char.ConvertToUtf32(part["delimiter"].Character(), 0);
                result.Add(new CharacterPreTokenizer(c => c == delimiter, SplitBehavior.Removed));
                break;
            case "FixedLength":
                result.Add(new FixedLengthPreTokenizer(part["length"].IsNull ? 5 : Math.Max(1, part["length"].Integer())));
                break;
            default:
                throw part.Unsupported(type, Supported);
        }
    }

    private static PreTokenizer ReadSplit(JsonPart part)
    {
        var behavior = ReadBehavior(part["behavior"]);
        var invert = part["invert"].Boolean();
        var regex = part["pattern"]["Regex"];
        if (behavior == SplitBehavior.Isolated && !regex.IsNull && part["pattern"]["String"].IsNull && WordScanner.ForPattern(regex.String()) is { } scanner)
        {
            // These match everywhere, so inverting changes nothing once every part is kept.
            return scanner;
        }

        return new PatternPreTokenizer(NormalizerReader.ReadPattern(part["pattern"]), behavior, invert);
    }

    private static SplitBehavior ReadBehavior(JsonPart part) => part.String() switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var name => throw part.Error($"is \"{name}\" but must be Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
    };
}
