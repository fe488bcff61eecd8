using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Sums of one activation row with four weight rows.</summary>
internal unsafe struct OneTileRow<TSimd, TVector> : ITileRows<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private TVector _a0;
    private TVector _a1;
    private TVector _a2;
    private TVector _a3;

    public static int Rows => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProducts(TVector w0, TVector w1, TVector w2, TVector w3, float* x, nint xStride)
    {
        var v = TSimd.Load(x);
        _a0 = TSimd.MultiplyAdd(w0, v, _a0);
        _a1 = TSimd.MultiplyAdd(w1, v, _a1);
        _a2 = TSimd.MultiplyAdd(w2, v, _a2);
        _a3 = TSimd.MultiplyAdd(w3, v, _a3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddTo(float* sums) => LinearKernel.AddTo<TSimd, TVector>(sums, _a0, _a1, _a2, _a3);
}
