using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>RMS norm of each row, with or without adding to the residual stream first; an item is a run of rows.</summary>
internal sealed unsafe class NormJob : KernelJob
{
    /// <summary>Floats that an item is worth starting for.</summary>
    private const int ItemElements = 16 << 10;

    private CpuTensor _hidden = null!;
    private CpuTensor? _delta;
    private CpuTensor _weight = null!;
    private CpuTensor _output = null!;
    private float _epsilon;
    private int _rows;
    private int _rowsPerItem;

    /// <param name="delta">Added to <paramref name="hidden"/> first; null adds nothing.</param>
    public void Run(WorkerPool pool, int rows, CpuTensor hidden, CpuTensor? delta, CpuTensor weight, float epsilon, CpuTensor output)
    {
        _hidden = hidden;
        _delta = delta;
        _weight = weight;
        _epsilon = epsilon;
        _output = output;
        _rows = rows;
        _rowsPerItem = Math.Max(1, ItemElements / hidden.Stride);
        pool.Run(this, (rows + _rowsPerItem - 1) / _rowsPerItem);
    }

    public override void Execute(int item, int worker)
    {
        var end = Math.Min((item + 1) * _rowsPerItem, _rows);
        for (var row = item * _rowsPerItem; row < end; row++)
        {
            if (Vector512.IsHardwareAccelerated)
            {
                Norm<Simd512, Vector512<float>>(row);
            }
            else
            {
                Norm<Simd256, Vector256<float>>(row);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Norm<TSimd, TVector>(int row)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // Rows are padded with zeros, which change no sum; weights are padded as well, so padding stays zero.
        var stride = _hidden.Stride;
        var hidden = _hidden.Row(row);
        var squares = TSimd.Zero;
        if (_delta is null)
        {
            for (var i = 0; i < stride; i += TSimd.Lanes)
            {
                var value = TSimd.Load(hidden + i);
                squares = TSimd.MultiplyAdd(value, value, squares);
            }
        }
        else
        {
            var delta = _delta.Row(row);
            for (var i = 0; i < stride; i += TSimd.Lanes)
            {
                var value = TSimd.Add(TSimd.Load(hidden + i), TSimd.Load(delta + i));
                TSimd.Store(value, hidden + i);
                squares = TSimd.MultiplyAdd(value, value, squares);
            }
        }

        var factor = TSimd.Broadcast(1 / MathF.Sqrt((TSimd.Sum(squares) / _hidden.Columns) + _epsilon));
        var output = _output.Row(row);
        var weight = _weight.Data;
        for (var i = 0; i < stride; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TSimd.Multiply(TSimd.Load(hidden + i), factor), TSimd.Load(weight + i)), output + i);
        }
    }
}
