using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>Mixtures of experts on the GPU against the CPU backend, on random ragged batches.</summary>
/// <remarks>Both compute router logits of exact inputs in float32, so they choose alike. The GPU rounds activations and each expert's result
/// to bfloat16 (1.1e-3 in the mean square each) and adds in float32: 1e-2 for a row, where a wrong expert or weight is off by some tenths.</remarks>
public sealed class MoeParityTests
{
    private const double Tolerance = 1e-2;

    public static TheoryData<string, int, int, int, int, bool> Cases => new()
    {
        // kind, hidden, intermediate, experts, chosen, tokens of a prompt each
        { "mixtral", 64, 80, 8, 2, false },
        { "mixtral", 256, 136, 8, 2, true },
        { "qwen3", 128, 48, 128, 8, false },
        { "qwen3", 136, 200, 4, 3, true },
        { "gpt-oss", 192, 72, 32, 4, true },
        { "gpt-oss", 64, 48, 8, 2, false },
        { "deepseek-v2", 128, 64, 16, 6, true },
        { "deepseek-v3", 128, 64, 64, 8, false },
        { "one", 64, 64, 1, 1, true },
        { "many", 64, 8, 2000, 3, false },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_kind_of_routing(string kind, int hidden, int intermediate, int experts, int chosen, bool prompts)
    {
        Gpu.Require();
        RaggedSteps steps = new([400, 1, 300, 17, 2, 1], 16, seed: hidden + experts);
        MoeWeights[] weights = new MoeWeights[2];
        using BackendPair pair = new(new AttentionLayout(2, 1, 64), hidden, 64, steps, 16, prepare: backend =>
        {
            MoeWeights loaded = Load(backend, kind, hidden, intermediate, experts, chosen);
            backend.PrepareMoe(loaded);
            weights[backend.Name.Contains("CUDA", StringComparison.Ordinal) ? 1 : 0] = loaded;
        });
        BackendPair.Twin table = pair.Table(steps.Tokens, hidden), x = pair.Allocate(steps.Tokens, hidden), output = pair.Allocate(steps.Tokens, hidden);
        for (int step = 0; steps.Next(most: prompts ? 300 : 12, sequences: prompts ? 6 : 3) && step < 12; step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(x));
                backend.MoE(steps.Batch, tensor(x), weights[ReferenceEquals(backend, pair.Cuda) ? 1 : 0], tensor(output));
            });
            pair.AssertClose(output, steps.Batch.TokenCount, hidden, hidden, Tolerance, $"{kind}, step {step}");
        }

        weights[0].Dispose();
        weights[1].Dispose();
    }

    private static MoeWeights Load(IBackend backend, string kind, int hidden, int intermediate, int experts, int chosen)
    {
        // Weights in fp32 that bfloat16 does not hold, for the bias that chooses; the others are exact in bfloat16.
        using DummyWeights plain = new(ElementType.Bf16), precise = new(ElementType.Fp32);
        WeightReader reader = new(plain, 0, false, false, null), preciseReader = new(precise, 0, false, false, null);
        bool bias = kind == "gpt-oss";
        int shared = kind.StartsWith("deepseek", StringComparison.Ordinal) ? 2 * intermediate : 0;
        return new MoeWeights
        {
            Routing = new ExpertRouting
            {
                ExpertCount = experts,
                ChosenCount = chosen,
                Scoring = kind switch { "gpt-oss" => ExpertScoring.SoftmaxOfChosen, "deepseek-v3" => ExpertScoring.Sigmoid, _ => ExpertScoring.Softmax },
                GroupCount = kind switch { "deepseek-v2" => 4, "deepseek-v3" => 8, _ => 1 },
                ChosenGroupCount = kind switch { "deepseek-v2" => 2, "deepseek-v3" => 3, _ => 1 },
                GroupScoring = kind == "deepseek-v3" ? ExpertGroupScoring.SumOfBestTwo : ExpertGroupScoring.Best,
                Normalize = kind is not ("deepseek-v2" or "gpt-oss"),
                Scale = kind.StartsWith("deepseek", StringComparison.Ordinal) ? 2.5f : 1,
            },
            Router = Linear("router", experts, hidden),
            ChoiceBias = kind == "deepseek-v3" ? backend.LoadVector(preciseReader.Read(new ExpectedTensor("choice", 1, experts)), 0) : null,
            Experts = [.. Enumerable.Range(0, experts).Select(e => new ExpertWeights(Linear($"{e}.gate_up", 2 * intermediate, hidden), Linear($"{e}.down", hidden, intermediate)))],
            Shared = shared == 0 ? null : new ExpertWeights(Linear("shared.gate_up", 2 * shared, hidden), Linear("shared.down", hidden, shared)),
            Activation = kind == "many" ? Activation.GeluTanh : Activation.Silu,
            Clamp = kind == "gpt-oss" ? new ClampedGate(1.702f, 0.5f) : null,
        };

        LinearWeight Linear(string name, int outputs, int inputs) => backend.LoadLinear(name,
            [new LinearPart(new ExpectedTensor(name, outputs, inputs), bias ? new ExpectedTensor(name + ".bias", 1, outputs) : null)], reader);
    }
}
