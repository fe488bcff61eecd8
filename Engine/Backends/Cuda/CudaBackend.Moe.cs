using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <content>Mixtures of experts.</content>
internal sealed unsafe partial class CudaBackend
{
    private CudaMoe? _moe;

    public void PrepareMoe(MoeWeights weights)
    {
        _device.MakeCurrent();
        // Not multiplied one by one, so nothing of them is to be timed; the router's products are read in float32.
        HashSet<CudaLinearWeight> grouped = [.. weights.Experts.SelectMany(e => (CudaLinearWeight[])[(CudaLinearWeight)e.GateUp, (CudaLinearWeight)e.Down])];
        _linears.RemoveAll(grouped.Contains);
        ((CudaLinearWeight)weights.Router).FloatOutput = true;
        _moe ??= new CudaMoe(_device, _compiler, weights, _fp16, _options.MaxStepTokens + _options.MaxSequences);
        _moe.Add(weights);
    }

    public void MoE(Batch batch, DeviceTensor input, MoeWeights weights, DeviceTensor output)
    {
        LaunchWaiting();
        _lastWeight = null;
        CudaTensor source = (CudaTensor)input, target = (CudaTensor)output;
        CudaMoe moe = _moe!;
        CudaLinearWeight router = (CudaLinearWeight)weights.Router;
        nint live = _recording ? _arena!.DecodeCount : 0;
        for (int first = 0; first < _rows; first += moe.PassTokens)
        {
            int tokens = Math.Min(moe.PassTokens, _rows - first);
            nint rows = source.Address + (nint)((long)first * source.Columns * 2);
            // The bias joins the logits where the experts are chosen.
            _matmul.Run(new MatmulShape(tokens, router.Outputs, router.Inputs, _elementType, CublasLt.Real32F, false), rows, router.Matrix, 0, moe.Logits);
            if (weights.Shared is { } shared)
            {
                RunShared(moe, shared, weights, tokens, rows);
            }

            moe.Run(weights, tokens, first, live, rows, target.Address + (nint)((long)first * target.Columns * 2));
        }
    }

    private void RunShared(CudaMoe moe, ExpertWeights shared, MoeWeights weights, int tokens, nint input)
    {
        CudaLinearWeight gateUp = (CudaLinearWeight)shared.GateUp, down = (CudaLinearWeight)shared.Down;
        Multiply(gateUp, input, moe.SharedGateUp!.Address);
        Gate(weights.Activation, weights.Clamp, tokens, down.Inputs, moe.SharedGateUp.Address, moe.SharedActivated!.Address);
        Multiply(down, moe.SharedActivated.Address, moe.SharedResults!.Address);

        void Multiply(CudaLinearWeight weight, nint from, nint to) =>
            _matmul.Run(new MatmulShape(tokens, weight.Outputs, weight.Inputs, _elementType, _elementType, weight.Bias != 0), from, weight.Matrix, weight.Bias, to);
    }

    /// <summary>output[rows, columns] = activation(gate) × up.</summary>
    /// <param name="left">What is still to be done to gate and up; without a bias.</param>
    private void Gate(Activation activation, ClampedGate? clamp, int rows, int columns, nint gateUp, nint output, Unfinished left = default)
    {
        int grid = ((columns / 8) + (GateChunks * GateThreads) - 1) / (GateChunks * GateThreads);
        if (clamp is { } limits)
        {
            _clampedGate.Launch(_device.Stream, grid, rows, GateThreads, output, gateUp, columns, limits.Alpha, limits.Limit);
        }
        else
        {
            _gates[(int)activation].Launch(_device.Stream, grid, rows, GateThreads, output, gateUp, columns, left.Input, left.Inputs, left.Epsilon);
        }
    }
}
