using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

/// <summary>Mixtures of experts against a plain float64 computation, expert by expert and token by token.</summary>
public sealed unsafe class MoeTests : IDisposable
{
    private readonly CpuBackend _backend = new(3, WeightPlacement.Copied);
    private readonly TestTensors _tensors = new();

    public void Dispose()
    {
        _backend.Dispose();
        _tensors.Dispose();
    }

    public static TheoryData<string> Routings => ["mixtral", "qwen3", "qwen3_sums_kept", "gpt_oss", "deepseek_v2", "deepseek_v2_groups", "deepseek_v3", "all_of_few"];

    [Theory]
    [MemberData(nameof(Routings))]
    public void Results_match_float64(string routing)
    {
        // Sizes beside whole vectors, few and many tokens (streamed and panelled products).
        foreach (var (tokens, hidden, intermediate) in ((int, int, int)[])[(1, 40, 24), (7, 64, 48), (150, 48, 40)])
        {
            using var model = new Model(this, Routing(routing), hidden, intermediate, shared: routing.StartsWith("deepseek", StringComparison.Ordinal) ? 56 : 0, clamped: routing == "gpt_oss");
            using var input = (CpuTensor)_backend.Allocate(tokens, hidden);
            using var output = (CpuTensor)_backend.Allocate(tokens, hidden);
            TestTensors.Fill(input, (row, column) => MathF.Sin((row * 3) + (column * 1.7f)) * 2);
            _backend.MoE(new Batch(tokens, 1, 1) { TokenCount = tokens }, input, model.Weights, output);
            var actual = _backend.ReadBack(output, tokens);
            var expected = model.Reference(_backend.ReadBack(input, tokens), tokens);
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.True(Math.Abs(expected[i] - actual[i]) <= 2e-4, $"{routing}, {tokens} tokens: element {i} is {actual[i]}, expected {expected[i]}.");
            }
        }
    }

    [Fact]
    public void A_token_gets_the_same_bits_alone_and_in_a_batch()
    {
        const int Tokens = 70;
        const int Hidden = 64;
        using var model = new Model(this, Routing("deepseek_v3"), Hidden, 48, shared: 48, clamped: false);
        using var input = (CpuTensor)_backend.Allocate(Tokens, Hidden);
        using var output = (CpuTensor)_backend.Allocate(Tokens, Hidden);
        using var one = (CpuTensor)_backend.Allocate(1, Hidden);
        using var oneOutput = (CpuTensor)_backend.Allocate(1, Hidden);
        TestTensors.Fill(input, (row, column) => MathF.Cos((row * 5) + column));
        _backend.MoE(new Batch(Tokens, 1, 1) { TokenCount = Tokens }, input, model.Weights, output);
        var together = _backend.ReadBack(output, Tokens);
        for (var token = 0; token < Tokens; token++)
        {
            var row = token;
            TestTensors.Fill(one, (_, column) => input.Row(row)[column]);
            _backend.MoE(new Batch(1, 1, 1) { TokenCount = 1 }, one, model.Weights, oneOutput);
            Assert.Equal(together.AsSpan(token * Hidden, Hidden).ToArray(), _backend.ReadBack(oneOutput, 1));
        }
    }

    [Theory]
    [MemberData(nameof(Routings))]
    public void Logits_that_are_not_numbers_choose_experts_that_exist(string name)
    {
        var routing = Routing(name);
        using var pool = new WorkerPool(2);
        var job = new ExpertChoiceJob(pool.ThreadCount);
        float[] odd = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, float.MaxValue];
        const int Tokens = 200;
        using var logits = new CpuTensor(Tokens, routing.ExpertCount);
        TestTensors.Fill(logits, (row, column) => row == 0 ? float.NaN : odd[((row * 7) + (column * column)) % odd.Length]);
        job.Run(pool, Tokens, routing, logits, null);
        for (var token = 0; token < Tokens; token++)
        {
            var chosen = job.Experts.AsSpan(token * routing.ChosenCount, routing.ChosenCount).ToArray();
            Assert.Equal(routing.ChosenCount, chosen.Distinct().Count());
            Assert.All(chosen, expert => Assert.InRange(expert, 0, routing.ExpertCount - 1));
        }

        // What is not a number stays visible.
        Assert.All(job.Weights.AsSpan(0, routing.ChosenCount).ToArray(), weight => Assert.True(float.IsNaN(weight)));
    }

    [Fact]
    public void Equal_scores_go_to_the_lower_numbers()
    {
        var routing = new ExpertRouting { ExpertCount = 6, ChosenCount = 3, Scoring = ExpertScoring.Softmax };
        using var pool = new WorkerPool(1);
        var job = new ExpertChoiceJob(1);
        using var logits = new CpuTensor(1, 6);
        TestTensors.Fill(logits, (_, column) => column == 4 ? 1 : 0);
        job.Run(pool, 1, routing, logits, null);
        Assert.Equal([0, 1, 4], job.Experts.AsSpan(0, 3).ToArray());
    }

    [Theory]
    [InlineData(0, 1, 1, 1, "0 experts")]
    [InlineData(5000, 1, 1, 1, "5,000 experts; supported: 1 to 4,096")]
    [InlineData(8, 9, 1, 1, "9 chosen experts of 8")]
    [InlineData(8, 0, 1, 1, "0 chosen experts")]
    [InlineData(8, 2, 3, 1, "3 groups, which do not divide 8")]
    [InlineData(8, 2, 4, 5, "5 chosen groups of 4")]
    [InlineData(8, 5, 4, 2, "5 chosen experts of 4")]
    [InlineData(8, 2, 8, 4, "1 expert in a group")]
    public void Impossible_counts_are_named(int experts, int chosen, int groups, int chosenGroups, string problem)
    {
        var routing = new ExpertRouting { ExpertCount = experts, ChosenCount = chosen, GroupCount = groups, ChosenGroupCount = chosenGroups, Scoring = ExpertScoring.Sigmoid, GroupScoring = ExpertGroupScoring.SumOfBestTwo };
        Assert.Contains(problem, routing.Problem, StringComparison.Ordinal);
    }

    private static ExpertRouting Routing(string name) => name switch
    {
        "mixtral" => new ExpertRouting { ExpertCount = 8, ChosenCount = 2, Scoring = ExpertScoring.Softmax, Normalize = true },
        "qwen3" => new ExpertRouting { ExpertCount = 16, ChosenCount = 4, Scoring = ExpertScoring.Softmax, Normalize = true },
        "qwen3_sums_kept" => new ExpertRouting { ExpertCount = 15, ChosenCount = 5, Scoring = ExpertScoring.Softmax },
        "gpt_oss" => new ExpertRouting { ExpertCount = 10, ChosenCount = 3, Scoring = ExpertScoring.SoftmaxOfChosen },
        "deepseek_v2" => new ExpertRouting { ExpertCount = 9, ChosenCount = 3, Scoring = ExpertScoring.Softmax, Scale = 1.5f },
        "deepseek_v2_groups" => new ExpertRouting { ExpertCount = 12, ChosenCount = 4, Scoring = ExpertScoring.Softmax, Scale = 16, GroupCount = 4, ChosenGroupCount = 2, GroupScoring = ExpertGroupScoring.Best },
        "deepseek_v3" => new ExpertRouting { ExpertCount = 16, ChosenCount = 4, Scoring = ExpertScoring.Sigmoid, Normalize = true, Scale = 2.5f, GroupCount = 4, ChosenGroupCount = 2, GroupScoring = ExpertGroupScoring.SumOfBestTwo },
        _ => new ExpertRouting { ExpertCount = 3, ChosenCount = 3, Scoring = ExpertScoring.Softmax },
    };

    /// <summary>Random experts, on the backend and in float64.</summary>
    private sealed class Model : IDisposable
    {
        private readonly MoeTests _test;
        private readonly int _hidden;
        private readonly bool _clamped;
        private readonly float[] _router;
        private readonly float[] _routerBias;
        private readonly float[]? _choiceBias;
        private readonly List<Expert> _experts = [];
        private readonly Expert? _shared;

        public Model(MoeTests test, ExpertRouting routing, int hidden, int intermediate, int shared, bool clamped)
        {
            _test = test;
            _hidden = hidden;
            _clamped = clamped;
            var name = $"{hidden}.{intermediate}.";
            (var router, _router, _routerBias) = Linear(name + "router", ElementType.Fp32, routing.ExpertCount, hidden, 0.6f);
            DeviceTensor? bias = null;
            if (routing.Scoring == ExpertScoring.Sigmoid)
            {
                _choiceBias = test._tensors.Add(name + "choice", ElementType.Fp32, 1, routing.ExpertCount);
                bias = test._backend.LoadVector(test._tensors.Read(new ExpectedTensor(name + "choice", 1, routing.ExpertCount)), 0);
            }

            var experts = new List<ExpertWeights>();
            ElementType[] types = [ElementType.Bf16, ElementType.Fp16, ElementType.Fp32];
            for (var e = 0; e < routing.ExpertCount; e++)
            {
                experts.Add(Make(name + e, types[e % types.Length], intermediate, _experts));
            }

            var sharedList = new List<Expert>();
            var sharedWeights = shared == 0 ? null : Make(name + "shared", ElementType.Bf16, shared, sharedList);
            _shared = sharedList.FirstOrDefault();
            Weights = new MoeWeights { Routing = routing, Router = router, ChoiceBias = bias, Experts = experts, Shared = sharedWeights, Clamp = clamped ? new ClampedGate(1.702f, 1.25f) : null };
        }

        public MoeWeights Weights { get; }

        public double[] Reference(float[] input, int tokens)
        {
            var output = new double[tokens * _hidden];
            for (var token = 0; token < tokens; token++)
            {
                var x = input.AsSpan(token * _hidden, _hidden).ToArray().Select(value => (double)value).ToArray();
                var logits = Multiply(_router, _routerBias, x);
                foreach (var (expert, weight) in Chosen(logits))
                {
                    Add(output, token, Apply(_experts[expert], x), weight);
                }

                if (_shared is not null)
                {
                    Add(output, token, Apply(_shared, x), 1);
                }
            }

            return output;
        }

        public void Dispose() => Weights.Dispose();

        private List<(int Expert, double Weight)> Chosen(double[] logits)
        {
            var routing = Weights.Routing;
            var total = logits.Sum(Math.Exp);
            var scores = logits.Select(logit => routing.Scoring switch
            {
                ExpertScoring.Softmax => Math.Exp(logit) / total,
                ExpertScoring.Sigmoid => 1 / (1 + Math.Exp(-logit)),
                _ => logit,
            }).ToArray();
            var choice = scores.Select((score, i) => score + (_choiceBias?[i] ?? 0)).ToArray();
            var size = routing.ExpertCount / routing.GroupCount;
            var groups = Enumerable.Range(0, routing.GroupCount)
                .OrderByDescending(group => choice.Skip(group * size).Take(size).OrderDescending().Take(routing.GroupScoring == ExpertGroupScoring.Best ? 1 : 2).Sum())
                .Take(routing.ChosenGroupCount).ToHashSet();
            var experts = Enumerable.Range(0, routing.ExpertCount).Where(expert => groups.Contains(expert / size)).OrderByDescending(expert => choice[expert]).Take(routing.ChosenCount).ToList();
            var weights = experts.Select(expert => routing.Scoring == ExpertScoring.SoftmaxOfChosen ? Math.Exp(scores[expert]) : scores[expert]).ToList();
            var divisor = routing.Normalize || routing.Scoring == ExpertScoring.SoftmaxOfChosen ? weights.Sum() : 1;
            return [.. experts.Zip(weights, (expert, weight) => (expert, weight / divisor * routing.Scale))];
        }

        private double[] Apply(Expert expert, double[] x)
        {
            var gateUp = Multiply(expert.GateUp, expert.GateUpBias, x);
            var size = gateUp.Length / 2;
            var activated = new double[size];
            for (var i = 0; i < size; i++)
            {
                var (gate, up) = (gateUp[i], gateUp[size + i]);
                if (_clamped)
                {
                    gate = Math.Min(gate, 1.25);
                    activated[i] = (Math.Clamp(up, -1.25, 1.25) + 1) * gate / (1 + Math.Exp(-1.702 * gate));
                }
                else
                {
                    activated[i] = gate / (1 + Math.Exp(-gate)) * up;
                }
            }

            return Multiply(expert.Down, expert.DownBias, activated);
        }

        private void Add(double[] output, int token, double[] row, double weight)
        {
            for (var i = 0; i < _hidden; i++)
            {
                output[(token * _hidden) + i] += weight * row[i];
            }
        }

        private static double[] Multiply(float[] matrix, float[] bias, double[] x) =>
            [.. bias.Select((start, row) => x.Select((value, i) => value * matrix[(row * x.Length) + i]).Sum() + start)];

        private ExpertWeights Make(string name, ElementType type, int intermediate, List<Expert> references)
        {
            var (gateUp, gateUpValues, gateUpBias) = Linear(name + ".gate_up", type, 2 * intermediate, _hidden, 0.2f);
            var (down, downValues, downBias) = Linear(name + ".down", type, _hidden, intermediate, 0.2f);
            references.Add(new Expert(gateUpValues, gateUpBias, downValues, downBias));
            return new ExpertWeights(gateUp, down);
        }

        private (LinearWeight Weight, float[] Values, float[] Bias) Linear(string name, ElementType type, int outputs, int inputs, float amplitude)
        {
            var values = _test._tensors.Add(name + ".weight", type, outputs, inputs, amplitude);
            var bias = _test._tensors.Add(name + ".bias", type, 1, outputs, amplitude);
            var part = new LinearPart(new ExpectedTensor(name + ".weight", outputs, inputs), new ExpectedTensor(name + ".bias", 1, outputs));
            return (_test._backend.LoadLinear(name, [part], _test._tensors.Reader(mayReference: false)), values, bias);
        }

        private sealed record Expert(float[] GateUp, float[] GateUpBias, float[] Down, float[] DownBias);
    }
}
