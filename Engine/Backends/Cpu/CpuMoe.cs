namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A mixture of experts: tokens are grouped by expert, so that each expert's matrices are multiplied once with all its tokens.</summary>
/// <remarks>A token's result does not depend on the tokens beside it: products add in one order however many rows there are, and
/// the experts of a token are added in rising order, the shared one last.</remarks>
internal sealed unsafe class CpuMoe : IDisposable
{
    /// <summary>Most bytes of intermediate rows: a step of more tokens is taken in passes.</summary>
    private const long ScratchBytes = 512L << 20;

    private readonly WorkerPool _pool;
    private readonly LinearJob _linear;
    private readonly LinearGroupJob _group;
    private readonly ExpertChoiceJob _choice;
    private readonly GatherJob _gather = new();
    private readonly GatedActivationJob _gatedActivation = new();
    private readonly ClampedGateJob _clamped = new();
    private readonly CombineJob _combine = new();
    private CpuTensor? _logits;
    private CpuTensor? _gathered;
    private CpuTensor? _gateUp;
    private CpuTensor? _activated;
    private CpuTensor? _down;
    private CpuTensor? _sharedGateUp;
    private CpuTensor? _sharedActivated;
    private CpuTensor? _sharedDown;

    /// <summary>[experts + 1] first row of each expert, and the total</summary>
    private int[] _starts = [];

    /// <summary>[tokens × chosen] row of each token's chosen expert</summary>
    private int[] _rows = [];

    /// <param name="linear">Whose scratch memory the products use.</param>
    public CpuMoe(WorkerPool pool, LinearJob linear)
    {
        _pool = pool;
        _linear = linear;
        _group = new LinearGroupJob(linear);
        _choice = new ExpertChoiceJob(pool.ThreadCount);
    }

    /// <param name="input">[tokens, hidden]</param>
    /// <param name="output">[tokens, hidden]</param>
    public void Run(int tokens, CpuTensor input, MoeWeights weights, CpuTensor output)
    {
        var intermediate = weights.Experts[0].Down.Inputs;
        var rowBytes = ((2L * input.Stride) + (3L * CpuTensor.Pad(intermediate))) * sizeof(float);
        var tokenBytes = (rowBytes * weights.Routing.ChosenCount) + (weights.Shared is { } shared ? (3L * shared.Down.Inputs * sizeof(float)) + rowBytes : 0);
        var passTokens = (int)Math.Clamp(ScratchBytes / tokenBytes, 1, Math.Max(tokens, 1));
        for (var start = 0; start < tokens; start += passTokens)
        {
            Pass(start, Math.Min(passTokens, tokens - start), input, weights, output);
        }
    }

    public void Dispose()
    {
        _group.DisposeBuffers();
        foreach (var tensor in (CpuTensor?[])[_logits, _gathered, _gateUp, _activated, _down, _sharedGateUp, _sharedActivated, _sharedDown])
        {
            tensor?.Dispose();
        }
    }

    private void Pass(int start, int tokens, CpuTensor input, MoeWeights weights, CpuTensor output)
    {
        var routing = weights.Routing;
        var chosen = routing.ChosenCount;
        var rows = tokens * chosen;
        var intermediate = weights.Experts[0].Down.Inputs;
        var x = input.Row(start);
        _logits = CpuTensor.Grow(_logits, tokens, routing.ExpertCount);
        _linear.Run(_pool, x, input.Stride, tokens, (CpuLinearWeight)weights.Router, _logits.Data, _logits.Stride);
        _choice.Run(_pool, tokens, routing, _logits, (CpuTensor?)weights.ChoiceBias);
        Sort(tokens, routing);

        _gathered = CpuTensor.Grow(_gathered, rows, input.Columns);
        _gather.Run(_pool, tokens, x, input.Stride, chosen, _rows, _gathered);
        _gateUp = CpuTensor.Grow(_gateUp, rows, 2 * intermediate);
        _activated = CpuTensor.Grow(_activated, rows, intermediate);
        _down = CpuTensor.Grow(_down, rows, input.Columns);
        if (weights.Shared is { } expert)
        {
            _sharedGateUp = CpuTensor.Grow(_sharedGateUp, tokens, expert.GateUp.Outputs);
            _sharedActivated = CpuTensor.Grow(_sharedActivated, tokens, expert.Down.Inputs);
            _sharedDown = CpuTensor.Grow(_sharedDown, tokens, input.Columns);
        }

        _group.Clear();
        for (var e = 0; e < routing.ExpertCount; e++)
        {
            AddProduct(e, _gathered, weights.Experts[e].GateUp, _gateUp);
        }

        if (weights.Shared is not null)
        {
            _group.Add(_pool, x, input.Stride, tokens, (CpuLinearWeight)weights.Shared.GateUp, _sharedGateUp!.Data, _sharedGateUp.Stride);
        }

        _group.Run(_pool);
        Activate(rows, _gateUp, weights, _activated);
        _group.Clear();
        for (var e = 0; e < routing.ExpertCount; e++)
        {
            AddProduct(e, _activated, weights.Experts[e].Down, _down);
        }

        if (weights.Shared is not null)
        {
            Activate(tokens, _sharedGateUp!, weights, _sharedActivated!);
            _group.Add(_pool, _sharedActivated!.Data, _sharedActivated.Stride, tokens, (CpuLinearWeight)weights.Shared.Down, _sharedDown!.Data, _sharedDown.Stride);
        }

        _group.Run(_pool);
        _combine.Run(_pool, tokens, chosen, _choice.Weights, _rows, _down, weights.Shared is null ? null : _sharedDown, output.Row(start), output.Stride);
    }

    private void AddProduct(int expert, CpuTensor input, LinearWeight weight, CpuTensor output)
    {
        var (first, count) = (_starts[expert], _starts[expert + 1] - _starts[expert]);
        if (count > 0)
        {
            _group.Add(_pool, input.Row(first), input.Stride, count, (CpuLinearWeight)weight, output.Row(first), output.Stride);
        }
    }

    private void Activate(int rows, CpuTensor gateUp, MoeWeights weights, CpuTensor output)
    {
        if (weights.Clamp is { } limits)
        {
            _clamped.Run(_pool, rows, gateUp, limits, output);
        }
        else
        {
            _gatedActivation.Run(_pool, rows, gateUp, weights.Activation, output);
        }
    }

    /// <summary>Gives each expert's tokens consecutive rows, in the tokens' order.</summary>
    private void Sort(int tokens, ExpertRouting routing)
    {
        var pairs = tokens * routing.ChosenCount;
        if (_rows.Length < pairs)
        {
            _rows = new int[pairs];
        }

        if (_starts.Length < routing.ExpertCount + 1)
        {
            _starts = new int[routing.ExpertCount + 1];
        }

        var starts = _starts.AsSpan(0, routing.ExpertCount + 1);
        starts.Clear();
        var experts = _choice.Experts.AsSpan(0, pairs);
        foreach (var expert in experts)
        {
            starts[expert + 1]++;
        }

        for (var expert = 0; expert < routing.ExpertCount; expert++)
        {
            starts[expert + 1] += starts[expert];
        }

        // Filling moves each start to its end, which is the next one's start: they are moved back after.
        for (var pair = 0; pair < pairs; pair++)
        {
            _rows[pair] = starts[experts[pair]]++;
        }

        starts[..^1].CopyTo(starts[1..]);
        starts[0] = 0;
    }
}
