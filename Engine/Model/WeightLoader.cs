using Fastgen.Engine.Backends;
using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model;

/// <summary>Brings the weights that a config calls for to a device, with query/key/value and gate/up fused.</summary>
internal static class WeightLoader
{
    /// <summary>Every tensor that a checkpoint of this config must hold.</summary>
    public static IReadOnlyList<ExpectedTensor> ExpectedTensors(ModelConfig config)
    {
        var expected = new List<ExpectedTensor> { Embedding(config), FinalNorm(config) };
        if (!config.TieWordEmbeddings)
        {
            expected.Add(OutputHead(config));
        }

        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var tensors = new LayerTensors(config, layer);
            expected.AddRange(tensors.Vectors);
            expected.AddRange(config.Latent is null ? [] : new LatentLoader(config, layer).ExpectedTensors());
            expected.AddRange(tensors.IsSparse ? new MoeLoader(config, layer).ExpectedTensors() : []);
            foreach (var part in (LinearPart[])[.. tensors.Qkv, .. tensors.AttentionOutput, .. tensors.GateUp, .. tensors.Down])
            {
                expected.Add(part.Weight);
                if (part.Bias is { } bias)
                {
                    expected.Add(bias);
                }
            }
        }

        return expected;
    }

    /// <param name="scanForNonFinite">Looks through every weight for NaN and infinity.</param>
    /// <param name="mayReference">Lets the backend use mapped tensors in place; the source must then outlive the weights.</param>
    /// <param name="weightType">What plain matrices are quantised to on the way.</param>
    /// <exception cref="ModelLoadException">Tensors are missing, of the wrong shape, or hold NaN or infinity.</exception>
    public static TransformerWeights Load(ModelConfig config, IWeightSource source, IBackend backend, bool scanForNonFinite, bool mayReference, IProgress<LoadProgress>? progress, WeightType weightType = WeightType.Stored)
    {
        var expected = ExpectedTensors(config);
        source.Check(expected);
        var totalBytes = expected.Sum(tensor => (long)tensor.Rows * tensor.Columns * config.StoredType.SizeBytes());
        var reader = new WeightReader(source, totalBytes, scanForNonFinite, mayReference, progress) { Online = tensor => OnlineCode(config, tensor, weightType) };
        var owned = new List<IDisposable>();
        try
        {
            var weights = Load(config, reader, backend, owned);
            progress?.Report(new LoadProgress("Weights loaded", totalBytes, totalBytes));
            return weights;
        }
        catch
        {
            owned.ForEach(item => item.Dispose());
            throw;
        }
    }

    private static TransformerWeights Load(ModelConfig config, WeightReader reader, IBackend backend, List<IDisposable> owned)
    {
        var embedding = Embedding(config);
        var head = Linear("lm_head", [new LinearPart(config.TieWordEmbeddings ? embedding : OutputHead(config), null)]);
        var table = Keep(config.TieWordEmbeddings ? backend.ShareTable(head) : backend.LoadTable(reader.Read(embedding), reader.MayReference));
        var layers = new List<LayerWeights>(config.LayerCount);
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var tensors = new LayerTensors(config, layer);
            DeviceTensor inputNorm = Vector(tensors.InputNorm), postAttentionNorm = Vector(tensors.PostAttentionNorm);
            layers.Add(new LayerWeights
            {
                InputNorm = inputNorm,
                Qkv = config.Latent is null ? Linear($"layers.{layer}.qkv", tensors.Qkv, inputNorm) : null,
                Latent = config.Latent is null ? null : new LatentLoader(config, layer).Load(reader, backend, owned),
                Sinks = tensors.Sinks is { } sinks ? Keep(backend.LoadVector(reader.Read(sinks), 0)) : null,
                QueryNorm = OptionalVector(tensors.QueryNorm),
                KeyNorm = OptionalVector(tensors.KeyNorm),
                AttentionOutput = Linear($"layers.{layer}.attention_output", tensors.AttentionOutput),
                AttentionOutputNorm = OptionalVector(tensors.AttentionOutputNorm),
                PostAttentionNorm = postAttentionNorm,
                GateUp = tensors.IsSparse ? null : Linear($"layers.{layer}.gate_up", tensors.GateUp, postAttentionNorm),
                Down = tensors.IsSparse ? null : Linear($"layers.{layer}.down", tensors.Down),
                Moe = tensors.IsSparse ? new MoeLoader(config, layer).Load(reader, backend, owned) : null,
                DownNorm = OptionalVector(tensors.DownNorm),
            });
        }

        return new TransformerWeights { Embedding = table, Layers = layers, FinalNorm = Vector(FinalNorm(config)), OutputHead = head };

        DeviceTensor Vector(ExpectedTensor tensor) => Keep(backend.LoadVector(reader.Read(tensor), config.Architecture.NormWeightOffset));

        DeviceTensor? OptionalVector(ExpectedTensor? tensor) => tensor is { } present ? Vector(present) : null;

        LinearWeight Linear(string name, LinearPart[] parts, DeviceTensor? norm = null) => Keep(backend.LoadLinear(name, parts, reader, norm));

        T Keep<T>(T item)
            where T : IDisposable
        {
            owned.Add(item);
            return item;
        }
    }

    /// <summary>What a plain matrix is quantised to; null leaves it plain.</summary>
    private static QuantizedCode? OnlineCode(ModelConfig config, ExpectedTensor tensor, WeightType weightType)
    {
        var names = config.Architecture.Weights;
        if (weightType == WeightType.Stored || tensor.Rows == 1 || IsRouter(tensor.Name))
        {
            return null;
        }

        // The head decides the next token directly, and its rows are the embeddings where they are tied.
        return weightType == WeightType.Int8 || tensor.Name == names.OutputHead || tensor.Name == names.Embedding ? QuantizedCode.Int8 : QuantizedCode.Int4;
    }

    /// <summary>Routers are small, and a small error sends a token to other experts.</summary>
    private static bool IsRouter(string name) => name.EndsWith(".gate.weight", StringComparison.Ordinal) || name.EndsWith(".router.weight", StringComparison.Ordinal);

    private static ExpectedTensor Embedding(ModelConfig config) => new(config.Architecture.Weights.Embedding, config.VocabularySize, config.HiddenSize);

    private static ExpectedTensor OutputHead(ModelConfig config) => new(config.Architecture.Weights.OutputHead, config.VocabularySize, config.HiddenSize);

    private static ExpectedTensor FinalNorm(ModelConfig config) => new(config.Architecture.Weights.FinalNorm, 1, config.HiddenSize);

    /// <summary>Names and shapes of one layer's tensors.</summary>
    private readonly struct LayerTensors(ModelConfig config, int layer)
    {
        private WeightNames Names => config.Architecture.Weights;

        private int KeyValueSize => config.KeyValueHeadCount * config.HeadDim;

        /// <summary>Has experts in place of the dense feed-forward part.</summary>
        public bool IsSparse => config.Moe?.Layers[layer] == true;

        public ExpectedTensor InputNorm => Norm(Names.InputNorm);

        public ExpectedTensor? QueryNorm => HeadNorm(Names.QueryNorm);

        public ExpectedTensor? KeyNorm => HeadNorm(Names.KeyNorm);

        public ExpectedTensor? AttentionOutputNorm => OptionalNorm(Names.AttentionOutputNorm);

        public ExpectedTensor PostAttentionNorm => Norm(Names.PostAttentionNorm);

        public ExpectedTensor? DownNorm => OptionalNorm(Names.DownNorm);

        public ExpectedTensor? Sinks => config.Architecture.AttentionSinks ? new ExpectedTensor(WeightNames.OfLayer(Names.Sinks, layer), 1, config.HeadCount) : null;

        /// <summary>All vectors.</summary>
        public IEnumerable<ExpectedTensor> Vectors
        {
            get
            {
                foreach (var norm in (ExpectedTensor?[])[InputNorm, QueryNorm, KeyNorm, AttentionOutputNorm, PostAttentionNorm, DownNorm, Sinks])
                {
                    if (norm is { } present)
                    {
                        yield return present;
                    }
                }
            }
        }

        public LinearPart[] Qkv => config.Latent is not null ? [] : Names.FusedQkv is { } fused ? [Matrix(fused, config.QkvSize, config.HiddenSize, config.QkvBias)] :
        [
            Matrix(Names.Query, config.AttentionSize, config.HiddenSize, config.QkvBias),
            Matrix(Names.Key, KeyValueSize, config.HiddenSize, config.QkvBias),
            Matrix(Names.Value, KeyValueSize, config.HiddenSize, config.QkvBias),
        ];

        public LinearPart[] AttentionOutput => [Matrix(Names.AttentionOutput, config.HiddenSize, config.AttentionSize, config.AttentionOutputBias)];

        public LinearPart[] GateUp => IsSparse ? [] : Names.FusedGateUp is { } fused ? [Matrix(fused, 2 * config.IntermediateSize, config.HiddenSize, config.MlpBias)] :
        [
            Matrix(Names.Gate, config.IntermediateSize, config.HiddenSize, config.MlpBias),
            Matrix(Names.Up, config.IntermediateSize, config.HiddenSize, config.MlpBias),
        ];

        public LinearPart[] Down => IsSparse ? [] : [Matrix(Names.Down, config.HiddenSize, config.IntermediateSize, config.MlpBias)];

        private ExpectedTensor Norm(string template) => new(WeightNames.OfLayer(template, layer), 1, config.HiddenSize);

        private ExpectedTensor? OptionalNorm(string? template) => template is null ? null : Norm(template);

        private ExpectedTensor? HeadNorm(string template) => config.Architecture.HeadNorms ? new ExpectedTensor(WeightNames.OfLayer(template, layer), 1, config.HeadDim) : null;

        private LinearPart Matrix(string template, int outputs, int inputs, bool bias)
        {
            var name = WeightNames.OfLayer(template, layer);
            return new LinearPart(new ExpectedTensor(name, outputs, inputs), bias ? new ExpectedTensor(WeightNames.BiasOf(name), 1, outputs) : null);
        }
    }
}
