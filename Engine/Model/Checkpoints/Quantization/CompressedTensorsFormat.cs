using System.Text.RegularExpressions;

namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>The format of llm-compressor: groups of layers, each with its own way.</summary>
internal sealed class CompressedTensorsFormat : QuantizationFormat
{
    private const string SupportedFormats = "pack-quantized, int-quantized, float-quantized, naive-quantized";

    private readonly IReadOnlyList<CompressedTensorsScheme> _schemes;
    private readonly IReadOnlyList<ModuleTarget> _ignored;

    private CompressedTensorsFormat(IReadOnlyList<CompressedTensorsScheme> schemes, IReadOnlyList<ModuleTarget> ignored)
    {
        _schemes = schemes;
        _ignored = ignored;
    }

    public override string Description => $"compressed-tensors, {string.Join("; ", _schemes.Select(scheme => scheme.Description))}";

    public static CompressedTensorsFormat Create(ConfigJson json)
    {
        if (json.Object("sparsity_config")?.String("format") is { } sparsity and not "dense")
        {
            throw json.Unsupported("sparsity_config.format", sparsity, "dense");
        }

        if (json.Object("config_groups") is not { } groups || !groups.Keys.Any())
        {
            throw json.Error("config_groups", "is missing; the file must say how layers are quantised. Download it again.");
        }

        var format = json.String("format") ?? "pack-quantized";
        return new CompressedTensorsFormat(
            [.. groups.Keys.Select(key => groups.Object(key)).OfType<ConfigJson>().Select(group => CompressedTensorsScheme.Read(group, Known(group, group.String("format") ?? format)))],
            [.. (json.Strings("ignore") ?? []).Select(text => ModuleTarget.Read(json, "ignore", text))]);
    }

    protected override QuantizedTensor? Open(QuantizedModule module)
    {
        if (_ignored.Any(target => target.MatchesName(module.Name)))
        {
            return null;
        }

        // A name says more than a pattern, and a pattern more than a class.
        var scheme = _schemes.FirstOrDefault(scheme => scheme.Targets.Any(target => target.IsExactly(module.Name)))
            ?? _schemes.FirstOrDefault(scheme => scheme.Targets.Any(target => target.MatchesName(module.Name)))
            ?? _schemes.FirstOrDefault(scheme => scheme.Targets.Any(target => target.IsLinearClass));
        return scheme?.Open(module);
    }

    private static string Known(ConfigJson json, string format) =>
        format is "pack-quantized" or "int-quantized" or "float-quantized" or "naive-quantized" ? format : throw json.Unsupported("format", format, SupportedFormats);

    /// <summary>A layer's name, a pattern for names after <c>re:</c>, or a class of layers.</summary>
    internal sealed class ModuleTarget
    {
        private readonly string _text;
        private readonly Regex? _pattern;

        private ModuleTarget(string text, Regex? pattern)
        {
            _text = text;
            _pattern = pattern;
        }

        public bool IsLinearClass => _text == "Linear";

        public static ModuleTarget Read(ConfigJson json, string key, string text)
        {
            const string Prefix = "re:";
            if (!text.StartsWith(Prefix, StringComparison.Ordinal))
            {
                return new ModuleTarget(text, null);
            }

            // Linear in the name's length whatever the pattern: files may be hostile.
            try
            {
                return new ModuleTarget(text, new Regex($@"\A(?:{text[Prefix.Length..]})", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
            }
            catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
            {
                throw json.Unsupported(key, text, $"patterns without look-around and back references ({exception.Message})");
            }
        }

        public bool IsExactly(string module) => _pattern is null && _text == module;

        public bool MatchesName(string module) => _pattern?.IsMatch(module) ?? _text == module;
    }
}
