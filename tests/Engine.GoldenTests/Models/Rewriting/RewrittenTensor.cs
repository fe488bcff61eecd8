using System.Runtime.InteropServices;

namespace Fastgen.Engine.GoldenTests.Models.Rewriting;

/// <summary>A tensor as safetensors stores it.</summary>
/// <param name="Type">dtype as the file names it.</param>
/// <param name="Shape">Outermost first.</param>
/// <param name="Data">Elements, row by row.</param>
internal sealed record RewrittenTensor(string Type, long[] Shape, byte[] Data)
{
    public static RewrittenTensor Of<T>(string type, long[] shape, T[] values)
        where T : unmanaged => new(type, shape, MemoryMarshal.AsBytes<T>(values).ToArray());

    public static RewrittenTensor Floats(long[] shape, float[] values) => Of("F32", shape, values);

    /// <summary>The values of a plain tensor.</summary>
    public float[] ToFloats() => Type switch
    {
        "F32" => MemoryMarshal.Cast<byte, float>(Data).ToArray(),
        "F16" => [.. MemoryMarshal.Cast<byte, Half>(Data).ToArray().Select(value => (float)value)],
        "BF16" => [.. MemoryMarshal.Cast<byte, ushort>(Data).ToArray().Select(value => BitConverter.UInt32BitsToSingle((uint)value << 16))],
        _ => throw new InvalidOperationException($"Tensors of type {Type} have no values of their own."),
    };
}
