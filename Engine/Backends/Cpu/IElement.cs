namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A stored type that kernels widen to fp32 as they load it.</summary>
internal unsafe interface IElement
{
    static abstract int SizeBytes { get; }

    /// <summary>Loads one vector.</summary>
    static abstract TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract float LoadOne(byte* source);

    static abstract void StoreOne(float value, byte* destination);
}
