namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>The 4-bit float e2m1, without infinities and NaN, and the scale e8m0 that blocks of it have.</summary>
/// <remarks>OCP Microscaling Formats (MX) Specification, revision 1.0, sections 5.3.3 and 5.4.1.</remarks>
internal static class Float4
{
    /// <summary>Sizes of the codes 0 to 7; the fourth bit is the sign.</summary>
    public static ReadOnlySpan<float> Sizes => [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    public static float Widen(int code) => (code & 8) == 0 ? Sizes[code & 7] : -Sizes[code & 7];

    /// <summary>2^(<paramref name="code"/> − 127); 255 is NaN.</summary>
    public static float WidenScale(byte code) => code switch
    {
        // Half the smallest normal float.
        0 => BitConverter.UInt32BitsToSingle(0x0040_0000),
        255 => float.NaN,
        _ => BitConverter.UInt32BitsToSingle((uint)code << 23),
    };
}
