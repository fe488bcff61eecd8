namespace Fastgen.Engine.Backends.Cpu;

/// <summary>The sums of some activation rows with four weight rows, in registers.</summary>
/// <remarks>Built of smaller ones, as <see cref="IRowBlock{TVector, TInteger}"/>.</remarks>
internal unsafe interface ITileRows<TVector>
    where TVector : struct
{
    static abstract int Rows { get; }

    /// <summary>Adds the products with a vector of each weight row.</summary>
    /// <param name="x">The first activation row's inputs.</param>
    /// <param name="xStride">Floats from one activation row to the next.</param>
    void AddProducts(TVector w0, TVector w1, TVector w2, TVector w3, float* x, nint xStride);

    /// <summary>Adds the lanes' sums to memory.</summary>
    /// <param name="sums">[rows, 4]</param>
    void AddTo(float* sums);
}
