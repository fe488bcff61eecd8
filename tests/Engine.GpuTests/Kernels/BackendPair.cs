using System.Text;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>The CPU backend, which computes in float32 and is checked against references, and the CUDA backend, given the same calls.</summary>
internal sealed unsafe class BackendPair : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly Random _random;

    /// <param name="rope">The config's <c>rope_scaling</c> object, or null.</param>
    /// <param name="change">Makes another config of it; null leaves it.</param>
    /// <param name="prepare">Loads what must be there before the KV cache.</param>
    public BackendPair(AttentionLayout attention, int hidden, int intermediate, RaggedSteps steps, int blockSize, string? rope = null, int? window = null, int seed = 1,
        Func<ModelConfig, ModelConfig>? change = null, Action<IBackend>? prepare = null)
    {
        _random = new Random(seed);
        Config = MakeConfig(attention, hidden, intermediate, rope, window);
        Config = change?.Invoke(Config) ?? Config;
        Cpu = new CpuBackend(Environment.ProcessorCount, WeightPlacement.Copied);
        Cuda = new CudaBackend(new CudaBackendOptions
        {
            Config = Config,
            Type = ElementType.Bf16,
            MaxStepTokens = steps.Tokens,
            MaxSequences = steps.Batch.ContextLengths.Length,
            MaxContextTokens = Math.Max(512, Config.MaxPositions),
        });
        _owned.Add(Cpu);
        using DummyWeights dummy = new(ElementType.Bf16);
        LinearPart[] parts = [new LinearPart(new ExpectedTensor("matrix", 64, hidden), null)];
        KvCacheLayout layout = new() { LayerCount = 1, Attention = attention, Latent = Config.Latent?.Layout, BlockSize = blockSize, BlockCount = steps.BlockCount };
        IReadOnlyList<RotaryFrequencies> rotary = RotaryFrequencies.OfLayers(Config);
        foreach (IBackend backend in Both)
        {
            _owned.Add(backend.LoadLinear("matrix", parts, new WeightReader(dummy, 0, false, false, null)));
            prepare?.Invoke(backend);
            backend.AllocateKvCache(layout, rotary);
        }

        _owned.Add(Cuda);
    }

    public ModelConfig Config { get; }

    public IBackend Cpu { get; }

    public IBackend Cuda { get; }

    private IBackend[] Both => [Cpu, Cuda];

    /// <summary>A config of the given shape, as a model folder would hold it.</summary>
    public static ModelConfig MakeConfig(AttentionLayout attention, int hidden, int intermediate, string? rope = null, int? window = null, int layers = 1, int vocabulary = 64)
    {
        string text = $$"""
            {
              "architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": {{vocabulary}}, "hidden_size": {{hidden}},
              "intermediate_size": {{intermediate}}, "num_hidden_layers": {{layers}}, "num_attention_heads": {{attention.HeadCount}},
              "num_key_value_heads": {{attention.KeyValueHeadCount}}, "head_dim": {{attention.HeadDim}}, "max_position_embeddings": 512,
              "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": {{window?.ToString() ?? "null"}}, "rope_scaling": {{rope ?? "null"}},
              "hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "bfloat16"
            }
            """;
        return ModelConfig.Read(ConfigJson.Parse(Encoding.UTF8.GetBytes(text), "config.json"));
    }

    /// <summary>The same random numbers on both, exact in bfloat16, in [-scale, scale).</summary>
    public Twin Table(int rows, int columns, float scale = 1)
    {
        ushort[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits(((_random.NextSingle() * 2) - 1) * scale) >> 16))];
        fixed (ushort* p = values)
        {
            HostTensor host = new("table", ElementType.Bf16, rows, columns, (nint)p);
            return Keep(new Twin(Cpu.LoadTable(host, false), Cuda.LoadTable(host, false)));
        }
    }

    /// <param name="offset">Added to every element by the backends.</param>
    public Twin Vector(int columns, float offset = 0)
    {
        ushort[] values = [.. Enumerable.Range(0, columns).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits(0.5f + _random.NextSingle()) >> 16))];
        fixed (ushort* p = values)
        {
            HostTensor host = new("vector", ElementType.Bf16, 1, columns, (nint)p);
            return Keep(new Twin(Cpu.LoadVector(host, offset), Cuda.LoadVector(host, offset)));
        }
    }

    public Twin Allocate(int rows, int columns) => Keep(new Twin(Cpu.Allocate(rows, columns), Cuda.Allocate(rows, columns)));

    /// <summary>Runs the same operations of a step on both.</summary>
    public void Run(RaggedSteps steps, Action<IBackend, Func<Twin, DeviceTensor>> operations)
    {
        Cpu.RunStep(steps.Batch, _ => operations(Cpu, t => t.Cpu));
        Cuda.RunStep(steps.Batch, _ => operations(Cuda, t => t.Cuda));
    }

    /// <summary>Compares pieces of rows by the norm of their difference.</summary>
    /// <param name="columns">How many columns of a row count, from the first.</param>
    /// <param name="piece">Columns that make a piece, such as a head.</param>
    public void AssertClose(Twin tensor, int rows, int columns, int piece, double tolerance, string where)
    {
        float[] expected = Cpu.ReadBack(tensor.Cpu, rows), actual = Cuda.ReadBack(tensor.Cuda, rows);
        int stride = tensor.Cpu.Columns;
        for (int row = 0; row < rows; row++)
        {
            for (int first = 0; first < columns; first += piece)
            {
                double difference = 0, size = 0;
                for (int i = first; i < Math.Min(first + piece, columns); i++)
                {
                    double e = expected[(row * stride) + i], d = actual[(row * stride) + i] - e;
                    (difference, size) = (difference + (d * d), size + (e * e));
                }

                Assert.True(Math.Sqrt(difference) <= tolerance * Math.Sqrt(size), $"{where}: row {row}, columns from {first}: off by {Math.Sqrt(difference / size):G3} (limit {tolerance})");
            }
        }
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            // Tensors before the backends they came from.
            if (_owned[i] is not IBackend)
            {
                _owned[i].Dispose();
            }
        }

        Cuda.Dispose();
        Cpu.Dispose();
    }

    private Twin Keep(Twin twin)
    {
        _owned.Add(twin.Cpu);
        _owned.Add(twin.Cuda);
        return twin;
    }

    /// <summary>One tensor on each device.</summary>
    internal readonly record struct Twin(DeviceTensor Cpu, DeviceTensor Cuda);
}
