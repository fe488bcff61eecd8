using System.Numerics;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>output[t] = Σ weights[t, i] × input[rows[t, i]] + shared[t]; an item is a run of tokens.</summary>
internal sealed unsafe class CombineJob : KernelJob
{
    private const int TokensPerItem = 8;

    private int _tokens;
    private int _chosen;
    private float[] _weights = [];
    private int[] _rows = [];
    private CpuTensor _input = null!;
    private CpuTensor? _shared;
    private float* _output;
    private nint _outputStride;

    /// <param name="chosen">Rows that a token adds.</param>
    /// <param name="weights">[tokens, chosen]</param>
    /// <param name="rows">[tokens, chosen] of <paramref name="input"/></param>
    /// <param name="shared">[tokens, columns]; null adds nothing.</param>
    public void Run(WorkerPool pool, int tokens, int chosen, float[] weights, int[] rows, CpuTensor input, CpuTensor? shared, float* output, nint outputStride)
    {
        _tokens = tokens;
        _chosen = chosen;
        _weights = weights;
        _rows = rows;
        _input = input;
        _shared = shared;
        _output = output;
        _outputStride = outputStride;
        pool.Run(this, (tokens + TokensPerItem - 1) / TokensPerItem);
    }

    public override void Execute(int item, int worker)
    {
        var end = Math.Min((item + 1) * TokensPerItem, _tokens);
        for (var token = item * TokensPerItem; token < end; token++)
        {
            var output = new Span<float>(_output + (token * _outputStride), _input.Columns);
            output.Clear();
            for (var i = token * _chosen; i < (token + 1) * _chosen; i++)
            {
                Add(output, _input.Row(_rows[i]), _weights[i]);
            }

            if (_shared is not null)
            {
                Add(output, _shared.Row(token), 1);
            }
        }
    }

    private static void Add(Span<float> output, float* row, float weight)
    {
        var source = new ReadOnlySpan<float>(row, output.Length);
        var factor = new Vector<float>(weight);
        var i = 0;
        for (; i + Vector<float>.Count <= output.Length; i += Vector<float>.Count)
        {
            ((new Vector<float>(source[i..]) * factor) + new Vector<float>(output[i..])).CopyTo(output[i..]);
        }

        for (; i < output.Length; i++)
        {
            output[i] += source[i] * weight;
        }
    }
}
