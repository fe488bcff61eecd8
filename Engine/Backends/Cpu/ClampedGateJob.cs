using System.Numerics;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>The activation that <see cref="ClampedGate"/> says; an item is a row.</summary>
internal sealed unsafe class ClampedGateJob : KernelJob
{
    private CpuTensor _gateUp = null!;
    private CpuTensor _output = null!;
    private ClampedGate _clamp;

    /// <param name="gateUp">[rows, 2 × columns] gate then up</param>
    /// <param name="output">[rows, columns]</param>
    public void Run(WorkerPool pool, int rows, CpuTensor gateUp, ClampedGate clamp, CpuTensor output)
    {
        _gateUp = gateUp;
        _clamp = clamp;
        _output = output;
        pool.Run(this, rows);
    }

    public override void Execute(int item, int worker)
    {
        var columns = _output.Columns;
        var gate = new ReadOnlySpan<float>(_gateUp.Row(item), columns);
        var up = new ReadOnlySpan<float>(_gateUp.Row(item) + columns, columns);
        var output = new Span<float>(_output.Row(item), columns);
        var limit = new Vector<float>(_clamp.Limit);
        var alpha = new Vector<float>(-_clamp.Alpha);
        var i = 0;
        for (; i + Vector<float>.Count <= columns; i += Vector<float>.Count)
        {
            var g = Vector.Min(new Vector<float>(gate[i..]), limit);
            var u = Vector.Max(Vector.Min(new Vector<float>(up[i..]), limit), -limit);
            ((u + Vector<float>.One) * (g / (Vector<float>.One + Vector.Exp(alpha * g)))).CopyTo(output[i..]);
        }

        for (; i < columns; i++)
        {
            var g = MathF.Min(gate[i], _clamp.Limit);
            output[i] = (Math.Clamp(up[i], -_clamp.Limit, _clamp.Limit) + 1) * (g / (1 + MathF.Exp(-_clamp.Alpha * g)));
        }
    }
}
