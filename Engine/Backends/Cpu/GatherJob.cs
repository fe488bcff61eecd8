namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Copies each token's row to the rows of its experts; an item is a run of tokens.</summary>
internal sealed unsafe class GatherJob : KernelJob
{
    private const int TokensPerItem = 8;

    private float* _input;
    private nint _inputStride;
    private int _tokens;
    private int _copies;
    private int[] _rows = [];
    private CpuTensor _output = null!;

    /// <param name="input">[tokens, columns of <paramref name="output"/>]</param>
    /// <param name="copies">Copies of a token.</param>
    /// <param name="rows">[tokens, copies] where they go.</param>
    public void Run(WorkerPool pool, int tokens, float* input, nint inputStride, int copies, int[] rows, CpuTensor output)
    {
        _input = input;
        _inputStride = inputStride;
        _tokens = tokens;
        _copies = copies;
        _rows = rows;
        _output = output;
        pool.Run(this, (tokens + TokensPerItem - 1) / TokensPerItem);
    }

    public override void Execute(int item, int worker)
    {
        var end = Math.Min((item + 1) * TokensPerItem, _tokens);
        for (var token = item * TokensPerItem; token < end; token++)
        {
            var source = new ReadOnlySpan<float>(_input + (token * _inputStride), _output.Columns);
            foreach (var row in _rows.AsSpan(token * _copies, _copies))
            {
                source.CopyTo(new Span<float>(_output.Row(row), _output.Columns));
            }
        }
    }
}
