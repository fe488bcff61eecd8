namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Scales and zeros of two vectors of outputs.</summary>
internal struct UnitScales<TVector>
    where TVector : struct
{
    public TVector First;

    public TVector Second;

    public TVector FirstZero;

    public TVector SecondZero;

    /// <summary>Some zero is not 0.</summary>
    public bool HasZeros;
}
