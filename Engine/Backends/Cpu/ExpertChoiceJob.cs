namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Chooses the experts of each token from its router logits; an item is a run of tokens.</summary>
/// <remarks>Whatever the logits are, also NaN, a token gets <see cref="ExpertRouting.ChosenCount"/> different experts that exist.</remarks>
internal sealed unsafe class ExpertChoiceJob : KernelJob
{
    private const int TokensPerItem = 32;

    /// <summary>Keeps a sum of scores that all vanish from dividing by zero, as the reference implementation does.</summary>
    private const float Tiny = 1e-20f;

    private readonly Scratch[] _scratch;
    private ExpertRouting _routing = null!;
    private CpuTensor _logits = null!;
    private CpuTensor? _bias;
    private int _tokens;

    public ExpertChoiceJob(int workers)
    {
        _scratch = new Scratch[workers];
        for (var i = 0; i < workers; i++)
        {
            _scratch[i] = new Scratch();
        }
    }

    /// <summary>[tokens, ChosenCount] in rising order for each token</summary>
    public int[] Experts { get; private set; } = [];

    /// <summary>[tokens, ChosenCount] of the experts beside them</summary>
    public float[] Weights { get; private set; } = [];

    /// <param name="logits">[tokens, experts]</param>
    /// <param name="bias">[1, experts] added for choosing only.</param>
    public void Run(WorkerPool pool, int tokens, ExpertRouting routing, CpuTensor logits, CpuTensor? bias)
    {
        _routing = routing;
        _logits = logits;
        _bias = bias;
        _tokens = tokens;
        if (Experts.Length < tokens * routing.ChosenCount)
        {
            Experts = new int[tokens * routing.ChosenCount];
            Weights = new float[tokens * routing.ChosenCount];
        }

        pool.Run(this, (tokens + TokensPerItem - 1) / TokensPerItem);
    }

    public override void Execute(int item, int worker)
    {
        var scratch = _scratch[worker];
        scratch.Fit(_routing);
        var end = Math.Min((item + 1) * TokensPerItem, _tokens);
        for (var token = item * TokensPerItem; token < end; token++)
        {
            var chosen = Experts.AsSpan(token * _routing.ChosenCount, _routing.ChosenCount);
            var weights = Weights.AsSpan(token * _routing.ChosenCount, _routing.ChosenCount);
            Choose(new ReadOnlySpan<float>(_logits.Row(token), _routing.ExpertCount), scratch, chosen, weights);
        }
    }

    private void Choose(ReadOnlySpan<float> logits, Scratch scratch, Span<int> chosen, Span<float> weights)
    {
        var scores = scratch.Scores.AsSpan(0, logits.Length);
        Score(logits, scores);
        var choice = scratch.Choice.AsSpan(0, logits.Length);
        for (var expert = 0; expert < logits.Length; expert++)
        {
            var value = scores[expert] + (_bias is null ? 0 : _bias.Data[expert]);
            choice[expert] = float.IsNaN(value) ? float.NegativeInfinity : value;
        }

        var open = scratch.Open.AsSpan(0, logits.Length);
        open.Fill(true);
        if (_routing.ChosenGroupCount < _routing.GroupCount)
        {
            CloseGroups(choice, scratch, open);
        }

        for (var i = 0; i < chosen.Length; i++)
        {
            chosen[i] = TakeBest(choice, open);
        }

        chosen.Sort();
        Weigh(scores, chosen, weights);
    }

    private void Score(ReadOnlySpan<float> logits, Span<float> scores)
    {
        switch (_routing.Scoring)
        {
            case ExpertScoring.Softmax:
                Softmax(logits, scores);
                break;
            case ExpertScoring.Sigmoid:
                for (var i = 0; i < logits.Length; i++)
                {
                    scores[i] = 1 / (1 + MathF.Exp(-logits[i]));
                }

                break;
            default:
                logits.CopyTo(scores);
                break;
        }
    }

    private void Weigh(ReadOnlySpan<float> scores, ReadOnlySpan<int> chosen, Span<float> weights)
    {
        for (var i = 0; i < chosen.Length; i++)
        {
            weights[i] = scores[chosen[i]];
        }

        if (_routing.Scoring == ExpertScoring.SoftmaxOfChosen)
        {
            Softmax(weights, weights);
        }

        var factor = _routing.Scale;
        if (_routing.Normalize)
        {
            var sum = Tiny;
            foreach (var weight in weights)
            {
                sum += weight;
            }

            factor /= sum;
        }

        foreach (ref var weight in weights)
        {
            weight *= factor;
        }
    }

    private void CloseGroups(ReadOnlySpan<float> choice, Scratch scratch, Span<bool> open)
    {
        var size = _routing.ExpertsPerGroup;
        var groups = scratch.GroupScores.AsSpan(0, _routing.GroupCount);
        for (var group = 0; group < groups.Length; group++)
        {
            var (best, second) = (float.NegativeInfinity, float.NegativeInfinity);
            foreach (var value in choice.Slice(group * size, size))
            {
                (best, second) = value > best ? (value, best) : (best, MathF.Max(second, value));
            }

            groups[group] = _routing.GroupScoring == ExpertGroupScoring.Best ? best : best + second;
        }

        var left = scratch.OpenGroups.AsSpan(0, groups.Length);
        left.Fill(true);
        for (var i = 0; i < _routing.ChosenGroupCount; i++)
        {
            TakeBest(groups, left);
        }

        for (var group = 0; group < groups.Length; group++)
        {
            if (left[group])
            {
                open.Slice(group * size, size).Clear();
            }
        }
    }

    /// <summary>The best of those open, which is closed; there must be one.</summary>
    private static int TakeBest(ReadOnlySpan<float> values, Span<bool> open)
    {
        var best = open.IndexOf(true);
        for (var i = best + 1; i < values.Length; i++)
        {
            if (open[i] && values[i] > values[best])
            {
                best = i;
            }
        }

        open[best] = false;
        return best;
    }

    private static void Softmax(ReadOnlySpan<float> logits, Span<float> weights)
    {
        var largest = float.NegativeInfinity;
        foreach (var logit in logits)
        {
            largest = MathF.Max(largest, logit);
        }

        var total = 0f;
        for (var i = 0; i < logits.Length; i++)
        {
            weights[i] = MathF.Exp(logits[i] - largest);
            total += weights[i];
        }

        for (var i = 0; i < logits.Length; i++)
        {
            weights[i] /= total;
        }
    }

    /// <summary>Room of one thread.</summary>
    private sealed class Scratch
    {
        public float[] Scores { get; private set; } = [];

        public float[] Choice { get; private set; } = [];

        public bool[] Open { get; private set; } = [];

        public float[] GroupScores { get; private set; } = [];

        public bool[] OpenGroups { get; private set; } = [];

        public void Fit(ExpertRouting routing)
        {
            if (Scores.Length < routing.ExpertCount)
            {
                Scores = new float[routing.ExpertCount];
                Choice = new float[routing.ExpertCount];
                Open = new bool[routing.ExpertCount];
            }

            if (GroupScores.Length < routing.GroupCount)
            {
                GroupScores = new float[routing.GroupCount];
                OpenGroups = new bool[routing.GroupCount];
            }
        }
    }
}
