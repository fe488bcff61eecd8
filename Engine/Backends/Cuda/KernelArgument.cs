using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>One kernel argument in an 8-byte cell.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal readonly struct KernelArgument
{
    [FieldOffset(0)]
    private readonly long _long;
    [FieldOffset(0)]
    private readonly int _int;
    [FieldOffset(0)]
    private readonly float _float;

    private KernelArgument(long value)
    {
        _int = 0;
        _float = 0;
        _long = value;
    }

    private KernelArgument(float value)
    {
        _long = 0;
        _int = 0;
        _float = value;
    }

    public static implicit operator KernelArgument(nint value) => new((long)value);

    public static implicit operator KernelArgument(long value) => new(value);

    public static implicit operator KernelArgument(int value) => new((long)value);

    public static implicit operator KernelArgument(float value) => new(value);
}
