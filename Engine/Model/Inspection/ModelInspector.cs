using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Model.Inspection;

/// <summary>Reads a model folder part by part; what is wrong with one part does not keep the others from being read.</summary>
internal sealed class ModelInspector(string model)
{
    private const int TokensPerUnit = 1024;
    private readonly List<InspectionProblem> _problems = [];

    public ModelInspection Run()
    {
        string? folder = Guard("folder", () => ModelFolder.Find(model));
        if (folder is null)
        {
            return new ModelInspection { Path = model, Problems = _problems, Templates = [] };
        }

        string configPath = Path.Combine(folder, "config.json");
        ConfigJson? json = Guard("config", () => ConfigJson.Load(configPath));
        ModelConfig? config = json is null ? null : Guard("config", () => ModelConfig.Load(configPath));
        WeightReport? weights = InspectWeights(folder, config);
        _ = Guard("config", () => GenerationDefaults.LoadFolder(folder));
        var text = new TextInspector(folder, Guard);
        TokenizerReport? tokenizer = text.InspectTokenizer();
        return new ModelInspection
        {
            Path = folder,
            Problems = _problems,
            Architecture = json is null ? null : Describe(json, config),
            Weights = weights,
            Memory = config is null ? null : Memory(config, weights),
            Tokenizer = tokenizer,
            Templates = text.InspectTemplates(),
        };
    }

    private static ArchitectureReport Describe(ConfigJson root, ModelConfig? config)
    {
        ConfigJson json = Try(() => WrapperArchitecture.Find(root)?.TextOf(root)) ?? root;
        ConfigJson? scaling = Try(() => json.Object("rope_scaling") ?? json.Object("rope_parameters"));
        ConfigJson? quantization = Try(() => ModelConfig.QuantizationOf(root));
        return new ArchitectureReport
        {
            Name = config?.Wrapper?.Name ?? config?.Architecture.Name ?? Try(() => root.Strings("architectures") is [var first, ..] ? first : null) ?? Try(() => root.String("model_type")),
            TextModel = config?.Wrapper is null ? null : config.Architecture.Name,
            IsSupported = config is not null,
            Supported = ArchitectureCatalog.SupportedNames,
            Layers = config?.LayerCount ?? Number("num_hidden_layers"),
            HiddenSize = config?.HiddenSize ?? Number("hidden_size"),
            Heads = config?.HeadCount ?? Number("num_attention_heads"),
            KeyValueHeads = config?.KeyValueHeadCount ?? Number("num_key_value_heads"),
            HeadDim = config?.HeadDim ?? Number("head_dim"),
            VocabularySize = config?.VocabularySize ?? Number("vocab_size"),
            Experts = Number("num_local_experts") ?? Number("num_experts") ?? Number("n_routed_experts"),
            ContextTokens = config?.MaxPositions ?? Number("max_position_embeddings"),
            Rope = config?.Rope.Type.ToString().ToLowerInvariant() ?? (scaling is null ? null : Try(() => scaling.String("rope_type")) ?? Try(() => scaling.String("type"))),
            WindowedLayers = config?.SlidingWindows.Count(window => window is not null),
            StoredType = Try(() => root.String("dtype") ?? root.String("torch_dtype")) ?? Try(() => json.String("dtype") ?? json.String("torch_dtype")),
            Quantization = config?.Quantization is { } format ? format.Description : quantization is null ? null : Try(() => quantization.String("quant_method")) ?? "unnamed",
        };

        long? Number(string key) => TryValue(() => json.Integer(key, 0, int.MaxValue));
    }

    private WeightReport? InspectWeights(string folder, ModelConfig? config)
    {
        IReadOnlyList<string>? files = Guard("weights", () => Checkpoint.FindFiles(folder));
        if (files is null)
        {
            return null;
        }

        var entries = new List<SafetensorsEntry>();
        long disk = 0;
        int read = 0;
        foreach (string path in files)
        {
            _ = Guard("weights", () =>
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
                disk += stream.Length;
                entries.AddRange(SafetensorsHeader.Read(stream, stream.Length, path));
                read++;
                return path;
            });
        }

        IReadOnlyList<ExpectedTensor>? expected = config is null ? null : Guard("weights", () => WeightLoader.ExpectedTensors(config));
        var ignored = new HashSet<string>(StringComparer.Ordinal);
        if (expected is not null && read == files.Count)
        {
            _ = Guard("weights", () =>
            {
                // Maps the files, but reads none of the weights.
                using Checkpoint checkpoint = Checkpoint.Open(folder, config!.Quantization, config.Wrapper);
                expected = WeightLoader.ExpectedTensors(checkpoint.Settle(config, compare: false));
                ignored.UnionWith(checkpoint.Ignored());
                checkpoint.Check(expected);
                return folder;
            });
        }

        return new WeightReport
        {
            Files = read,
            DiskBytes = disk,
            Tensors = entries.Count,
            TensorBytes = entries.Sum(entry => entry.ByteCount),
            Parameters = expected?.Sum(tensor => (long)tensor.Rows * tensor.Columns) ?? entries.Sum(Elements),
            Ignored = [.. entries.Where(entry => ignored.Contains(entry.Name)).GroupBy(entry => PartOf(entry.Name), StringComparer.Ordinal)
                .Select(group => new IgnoredPartReport(group.Key, group.Count(), group.Sum(entry => entry.ByteCount)))
                .OrderBy(part => part.Name, StringComparer.Ordinal)],
            Types = [.. entries.GroupBy(entry => entry.Shape.TypeCode, StringComparer.Ordinal)
                .Select(group => new StoredTypeReport(group.Key, group.Count(), group.Sum(entry => entry.ByteCount)))
                .OrderByDescending(type => type.Bytes).ThenBy(type => type.Type, StringComparer.Ordinal)],
        };
    }

    /// <summary>The first word of a tensor's name, or the first two where the first says nothing.</summary>
    private static string PartOf(string name) => string.Join('.', name.Split('.').Take(name.StartsWith("model.", StringComparison.Ordinal) ? 2 : 1));

    private static long Elements(SafetensorsEntry entry) => entry.Shape.Dimensions.Aggregate(1L, (count, dimension) => count * dimension);

    private static MemoryReport Memory(ModelConfig config, WeightReport? weights)
    {
        // Without files, what the configuration calls for: that is what dummy weights take.
        long weightBytes = weights is not null ? weights.TensorBytes - weights.Ignored.Sum(part => part.Bytes) : WeightLoader.ExpectedTensors(config).Sum(tensor => (long)tensor.Rows * tensor.Columns * config.StoredType.SizeBytes());
        int perLayer = config.Latent is { } latent ? latent.Layout.CachedDim : 2 * config.KeyValueHeadCount * config.HeadDim;
        long perToken = (long)config.LayerCount * perLayer * sizeof(ushort);
        return new MemoryReport(weightBytes, perToken * TokensPerUnit, perToken * config.MaxPositions);
    }

    private T? Guard<T>(string part, Func<T?> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // Several parts read the same file; once is enough.
            var problem = new InspectionProblem(part, exception.Message, exception is ModelLoadException { IsUnsupported: true });
            if (!_problems.Exists(known => known.Message == problem.Message))
            {
                _problems.Add(problem);
            }

            return null;
        }
    }

    private static T? Try<T>(Func<T?> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (ModelLoadException)
        {
            return null;
        }
    }

    private static int? TryValue(Func<int?> read)
    {
        try
        {
            return read();
        }
        catch (ModelLoadException)
        {
            return null;
        }
    }
}
