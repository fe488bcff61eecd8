using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Twice as many activation rows.</summary>
internal unsafe struct TwoTileRows<TRows, TVector> : ITileRows<TVector>
    where TRows : struct, ITileRows<TVector>
    where TVector : struct
{
#pragma warning disable CS0649, IDE0044 // Their own methods write them.
    private TRows _upper;
    private TRows _lower;
#pragma warning restore CS0649, IDE0044

    public static int Rows => 2 * TRows.Rows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProducts(TVector w0, TVector w1, TVector w2, TVector w3, float* x, nint xStride)
    {
        _upper.AddProducts(w0, w1, w2, w3, x, xStride);
        _lower.AddProducts(w0, w1, w2, w3, x + (TRows.Rows * xStride), xStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddTo(float* sums)
    {
        _upper.AddTo(sums);
        _lower.AddTo(sums + (TRows.Rows * LinearKernel.TileOutputs));
    }
}
