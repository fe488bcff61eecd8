using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model;

/// <summary>What a config.json says about a model, with the defaults of its class where a key is absent.</summary>
internal sealed record ModelConfig
{
    /// <summary>Largest value accepted for any dimension: beyond every published model, and products of two stay far inside 64 bits.</summary>
    private const int MaxDimension = 1 << 24;

    /// <summary>The data that tells how this model maps onto the one forward pass.</summary>
    public required Architecture Architecture { get; init; }

    /// <summary>The multimodal class around the language model, of which nothing else is read; null where there is none.</summary>
    public WrapperArchitecture? Wrapper { get; init; }

    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int LayerCount { get; init; }

    public required int HeadCount { get; init; }

    public required int KeyValueHeadCount { get; init; }

    public required int HeadDim { get; init; }

    /// <summary>config.json <c>max_position_embeddings</c>: the longest context, unless <see cref="Rope"/> stretches it further.</summary>
    public required int MaxPositions { get; init; }

    public required float RmsNormEpsilon { get; init; }

    /// <summary>Of the layers that see all the context.</summary>
    public required RopeConfig Rope { get; init; }

    /// <summary>Of the layers with a window; the same object where they have none of their own.</summary>
    public required RopeConfig LocalRope { get; init; }

    public required Activation Activation { get; init; }

    /// <summary>Factor on embeddings.</summary>
    public required float EmbeddingScale { get; init; }

    /// <summary>Factor on the products of queries and keys.</summary>
    public required float AttentionScale { get; init; }

    /// <summary>Soft cap on attention's scaled products.</summary>
    public required float? AttentionSoftCap { get; init; }

    /// <summary>Soft cap on logits.</summary>
    public required float? LogitSoftCap { get; init; }

    /// <summary>The output matrix is the embedding table, unless the checkpoint holds another: <see cref="Checkpoints.Checkpoint.Settle"/>.</summary>
    public required bool TieWordEmbeddings { get; init; }

    public required bool QkvBias { get; init; }

    public required bool AttentionOutputBias { get; init; }

    public required bool MlpBias { get; init; }

    /// <summary>[layers] how many tokens back a query sees, itself included; null sees all.</summary>
    public required IReadOnlyList<int?> SlidingWindows { get; init; }

    /// <summary>Null where all layers are dense.</summary>
    public MoeConfig? Moe { get; init; }

    /// <summary>Null where keys and values are cached themselves.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>Type the weights are said to be stored in; the checkpoint decides.</summary>
    public required ElementType StoredType { get; init; }

    /// <summary>How the checkpoint's matrices are quantised; null where they are plain.</summary>
    public QuantizationFormat? Quantization { get; init; }

    public required IReadOnlyList<int> EosTokenIds { get; init; }

    public required int? BosTokenId { get; init; }

    /// <summary>Longest context that the model is meant for.</summary>
    public int MaxContextTokens => (int)Math.Min(int.MaxValue / 2, Math.Max(MaxPositions, Rope.Type switch
    {
        // These count from max_position_embeddings, but where layers have parameters by type the files already give the stretched length.
        RopeType.Linear or RopeType.Dynamic when !Architecture.Rope.ByLayerType => Math.Floor(MaxPositions * Rope.Factor),
        RopeType.Yarn => Math.Floor(Rope.OriginalMaxPositions * Rope.Factor),
        _ => MaxPositions,
    }));

    /// <summary>Longest context to serve: dynamic scaling goes on for as long as it is asked to, everything else ends with the model.</summary>
    /// <param name="wanted">Null takes what the model is meant for.</param>
    public int ContextLimit(int? wanted) => Rope.Type == RopeType.Dynamic ? wanted ?? MaxContextTokens : Math.Min(wanted ?? MaxContextTokens, MaxContextTokens);

    /// <summary>Rows of the fused query, key and value projection.</summary>
    public int QkvSize => (HeadCount + (2 * KeyValueHeadCount)) * HeadDim;

    /// <summary>Width of the concatenated heads' results.</summary>
    public int AttentionSize => HeadCount * (Latent?.Layout.ValueDim ?? HeadDim);

    /// <exception cref="ModelLoadException">The file is absent, malformed, or describes something that is not supported.</exception>
    public static ModelConfig Load(string path)
    {
        var json = ConfigJson.Load(path);
        var config = Read(json);

        // Older GPTQ folders say in a file of its own what newer ones say in config.json.
        var quantize = Path.Combine(Path.GetDirectoryName(path) ?? "", "quantize_config.json");
        return config.Quantization is null && File.Exists(quantize) ? config with { Quantization = QuantizationFormat.Read(ConfigJson.Load(quantize)) } : config;
    }

    public static ModelConfig Read(ConfigJson root)
    {
        var wrapper = WrapperArchitecture.Find(root);
        var json = wrapper?.TextOf(root) ?? root;
        var architecture = wrapper is null ? ArchitectureCatalog.Find(root) : ArchitectureCatalog.FindText(json, wrapper.DefaultTextType);
        architecture.Reject?.Invoke(json);
        var defaults = architecture.Defaults;
        var hidden = Dimension("hidden_size", defaults.HiddenSize);
        var heads = Dimension("num_attention_heads", defaults.HeadCount);
        var layers = json.Integer("num_hidden_layers", 1, 100_000) ?? defaults.LayerCount;
        var keyValueHeads = json.Integer("num_key_value_heads", 1, heads)
            ?? (json.IsNull("num_key_value_heads") ? heads : Math.Min(defaults.KeyValueHeadCount ?? heads, heads));
        if (heads % keyValueHeads != 0)
        {
            throw json.Error("num_key_value_heads", $"is {keyValueHeads}, which does not divide num_attention_heads {heads}; correct the file.");
        }

        // Of latent attention only the part that turns counts as a head, as in transformers.
        var latent = architecture.Latent?.Invoke(json, heads);
        var headDim = latent?.Layout.RopeDim ?? json.Integer("head_dim", 1, MaxDimension) ?? (json.IsNull("head_dim") ? null : defaults.HeadDim) ?? (hidden / heads);
        if (headDim is 0 or > 1024 || headDim % 8 != 0)
        {
            throw new ModelLoadException($"{json.Source}: heads have {headDim} dimensions (head_dim, or hidden_size / num_attention_heads); supported: multiples of 8 up to 1,024.") { IsUnsupported = true };
        }

        var maxPositions = json.Integer("max_position_embeddings", 1, int.MaxValue) ?? defaults.MaxPositions;
        var biases = architecture.Biases(json);
        var (rope, localRope) = RopeConfig.Read(json, architecture.Rope, defaults.RopeTheta, headDim, maxPositions);
        return new ModelConfig
        {
            Architecture = architecture,
            Wrapper = wrapper,
            VocabularySize = Dimension("vocab_size", defaults.VocabularySize),
            HiddenSize = hidden,
            IntermediateSize = Dimension("intermediate_size", defaults.IntermediateSize),
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = keyValueHeads,
            HeadDim = headDim,
            MaxPositions = maxPositions,
            RmsNormEpsilon = (float)(json.Number("rms_norm_eps", 0) ?? defaults.RmsNormEpsilon),
            Rope = rope,
            LocalRope = localRope,
            Activation = ReadActivation(json, architecture),
            EmbeddingScale = architecture.ScalesEmbeddings ? MathF.Sqrt(hidden) : 1,
            AttentionScale = (float)(latent is null ? 1 / Math.Sqrt(architecture.AttentionScalar?.Invoke(json) ?? headDim) : rope.LatentScale / Math.Sqrt(latent.Layout.QueryDim)),
            AttentionSoftCap = (float?)architecture.AttentionSoftCap?.Invoke(json),

            // The head belongs to the class around, and none of those caps what it gives.
            LogitSoftCap = wrapper is null ? (float?)architecture.LogitSoftCap?.Invoke(json) : null,
            TieWordEmbeddings = json.Boolean("tie_word_embeddings") ?? root.Boolean("tie_word_embeddings") ?? defaults.TieWordEmbeddings,
            QkvBias = biases.Qkv,
            AttentionOutputBias = biases.AttentionOutput,
            MlpBias = biases.Mlp,
            SlidingWindows = architecture.SlidingWindows(json, layers),
            Moe = architecture.Moe?.Invoke(json, layers),
            Latent = latent,
            StoredType = ReadStoredType(root) ?? ReadStoredType(json) ?? ElementType.Fp32,
            Quantization = QuantizationOf(root) is { } quantization ? QuantizationFormat.Read(quantization) : null,
            EosTokenIds = root.IntegerOrList("eos_token_id") is { Count: > 0 } ids ? ids : json.IntegerOrList("eos_token_id"),
            BosTokenId = root.Integer("bos_token_id", int.MinValue, int.MaxValue) ?? json.Integer("bos_token_id", int.MinValue, int.MaxValue),
        };

        int Dimension(string key, int defaultValue) => json.Integer(key, 1, MaxDimension) ?? defaultValue;
    }

    /// <summary>What the file says about quantisation, wherever it says it; null where it does not.</summary>
    public static ConfigJson? QuantizationOf(ConfigJson root)
    {
        foreach (var json in (ConfigJson?[])[root, WrapperArchitecture.Find(root)?.TextOf(root)])
        {
            if ((json?.Object("quantization_config") ?? json?.Object("compression_config")) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    private static Activation ReadActivation(ConfigJson json, Architecture architecture) => json.String(architecture.ActivationKey) switch
    {
        null => architecture.Defaults.Activation,
        "silu" or "swish" => Activation.Silu,

        "gelu" or "gelu_python" => Activation.Gelu,

        // Names of one formula.
        "gelu_pytorch_tanh" or "gelu_python_tanh" or "gelu_new" or "gelu_fast" => Activation.GeluTanh,
        "relu" => Activation.Relu,
        var other => throw json.Unsupported(architecture.ActivationKey, other, "silu, gelu, gelu_pytorch_tanh, relu"),
    };

    private static ElementType? ReadStoredType(ConfigJson json) => (json.String("dtype") ?? json.String("torch_dtype")) switch
    {
        null => null,
        "bfloat16" => ElementType.Bf16,
        "float16" => ElementType.Fp16,
        _ => ElementType.Fp32,
    };
}
