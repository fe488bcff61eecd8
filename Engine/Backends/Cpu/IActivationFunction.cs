namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A function of single numbers, written once for all vector widths.</summary>
internal interface IActivationFunction
{
    static abstract TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
