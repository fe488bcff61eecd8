using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>activation(gate) × up; an item is a run of columns of one row.</summary>
internal sealed unsafe class GatedActivationJob : KernelJob
{
    private const int ItemColumns = 4096;

    private CpuTensor _gateUp = null!;
    private CpuTensor _output = null!;
    private Activation _activation;
    private int _itemsPerRow;

    public void Run(WorkerPool pool, int rows, CpuTensor gateUp, Activation activation, CpuTensor output)
    {
        _gateUp = gateUp;
        _activation = activation;
        _output = output;
        _itemsPerRow = (output.Columns + ItemColumns - 1) / ItemColumns;
        pool.Run(this, rows * _itemsPerRow);
    }

    public override void Execute(int item, int worker)
    {
        var (row, part) = Math.DivRem(item, _itemsPerRow);
        var start = part * ItemColumns;
        var count = Math.Min(ItemColumns, _output.Columns - start);
        var gate = _gateUp.Row(row) + start;
        var up = gate + _output.Columns;
        var output = _output.Row(row) + start;
        switch (_activation)
        {
            case Activation.Silu:
                Apply<SiluFunction>(gate, up, output, count);
                break;
            case Activation.Gelu:
                Apply<GeluFunction>(gate, up, output, count);
                break;
            case Activation.GeluTanh:
                Apply<GeluTanhFunction>(gate, up, output, count);
                break;
            default:
                Apply<ReluFunction>(gate, up, output, count);
                break;
        }
    }

    private static void Apply<TFunction>(float* gate, float* up, float* output, int count)
        where TFunction : struct, IActivationFunction
    {
        var done = Vector512.IsHardwareAccelerated ? Apply<Simd512, Vector512<float>, TFunction>(gate, up, output, 0, count) : 0;
        done = Apply<Simd256, Vector256<float>, TFunction>(gate, up, output, done, count);
        if (done == count)
        {
            return;
        }

        // The rest goes through a vector of its own, so that there is one formula.
        const int Lanes = 8;
        var tail = stackalloc float[3 * Lanes];
        new Span<float>(tail, 3 * Lanes).Clear();
        new Span<float>(gate + done, count - done).CopyTo(new Span<float>(tail, Lanes));
        new Span<float>(up + done, count - done).CopyTo(new Span<float>(tail + Lanes, Lanes));
        Apply<Simd256, Vector256<float>, TFunction>(tail, tail + Lanes, tail + (2 * Lanes), 0, Lanes);
        new Span<float>(tail + (2 * Lanes), count - done).CopyTo(new Span<float>(output + done, count - done));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Apply<TSimd, TVector, TFunction>(float* gate, float* up, float* output, int start, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TFunction : struct, IActivationFunction
    {
        var i = start;
        for (; i + TSimd.Lanes <= count; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TFunction.Apply<TSimd, TVector>(TSimd.Load(gate + i)), TSimd.Load(up + i)), output + i);
        }

        return i;
    }
}
