namespace Fastgen.Engine.Model;

internal static class ElementTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    public static int SizeBytes(this ElementType type) => type == ElementType.Fp32 ? 4 : 2;

    /// <summary>The dtype code of the safetensors format.</summary>
    public static string SafetensorsCode(this ElementType type) => type switch
    {
        ElementType.Fp32 => "F32",
        ElementType.Fp16 => "F16",
        _ => "BF16",
    };
}
