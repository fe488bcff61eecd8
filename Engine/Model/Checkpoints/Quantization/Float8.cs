namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>The 8-bit float e4m3 without infinities: bias 7, largest 448, NaN is all ones.</summary>
/// <remarks>OCP 8-bit Floating Point Specification, revision 1.0.</remarks>
internal static class Float8
{
    public const float Largest = 448;

    private static readonly float[] Table = [.. Enumerable.Range(0, 256).Select(code => Decode((byte)code))];

    public static float Widen(byte code) => Table[code];

    public static bool IsNaN(byte code) => (code & 0x7F) == 0x7F;

    /// <summary>The nearest value that e4m3 can hold, ties to even; beyond ± 448 it is ± 448.</summary>
    public static float Round(float value)
    {
        var magnitude = MathF.Min(MathF.Abs(value), Largest);

        // Numbers below 2^-6 are spaced by 2^-9; above, three bits follow the leading one.
        var exponent = Math.Max((int)(BitConverter.SingleToUInt32Bits(magnitude) >> 23) - 127, -6);
        var spacing = MathF.ScaleB(1, exponent - 3);
        return MathF.CopySign(MathF.Round(magnitude / spacing, MidpointRounding.ToEven) * spacing, value);
    }

    private static float Decode(byte code)
    {
        var (exponent, mantissa) = ((code >> 3) & 15, code & 7);
        var magnitude = IsNaN(code) ? float.NaN : exponent == 0 ? mantissa / 512f : MathF.ScaleB(1 + (mantissa / 8f), exponent - 7);
        return (code & 0x80) == 0 ? magnitude : -magnitude;
    }
}
