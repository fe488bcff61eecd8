using System.Runtime.InteropServices;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Random weights of the right shapes and scales, the same on every machine: benchmarks need no download.</summary>
/// <remarks>Matrices are uniform with the variance 1 / columns, so activations keep their size through the layers; norms are 1, biases small.</remarks>
internal sealed unsafe class DummyWeights(ElementType type) : IWeightSource
{
    private void* _buffer;
    private long _capacity;

    public string Name => "dummy weights";

    public bool StaysMapped => false;

    /// <summary>Any tensor is there, in any shape.</summary>
    public void Check(IReadOnlyList<ExpectedTensor> expected)
    {
    }

    public HostTensor Read(ExpectedTensor tensor)
    {
        var (name, rows, columns) = tensor;
        var contents = new HostTensor(name, type, rows, columns, 0);
        if (_capacity < contents.ByteCount)
        {
            NativeMemory.AlignedFree(_buffer);
            _buffer = NativeMemory.AlignedAlloc((nuint)contents.ByteCount, 64);
            _capacity = contents.ByteCount;
        }

        var isNorm = name.Contains("norm", StringComparison.Ordinal);
        var amplitude = rows == 1 ? 0.02f : MathF.Sqrt(3f / columns);
        var seed = Hash(name);
        Parallel.For(0, rows, row => FillRow((byte*)_buffer + ((long)row * columns * type.SizeBytes()), columns, seed + (ulong)row * 0x9E37_79B9_7F4A_7C15, isNorm ? 1f : 0f, isNorm ? 0f : amplitude));
        return contents with { Data = (nint)_buffer };
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffer);
        _buffer = null;
        _capacity = 0;
    }

    private void FillRow(byte* row, int columns, ulong state, float centre, float amplitude)
    {
        for (var i = 0; i < columns; i++)
        {
            state += 0x9E37_79B9_7F4A_7C15;
            var mixed = (state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9;
            mixed ^= mixed >> 31;
            var value = centre + (amplitude * ((int)(mixed >> 40) - 0x80_0000) / 0x80_0000);
            switch (type)
            {
                case ElementType.Fp32:
                    ((float*)row)[i] = value;
                    break;
                case ElementType.Fp16:
                    ((Half*)row)[i] = (Half)value;
                    break;
                default:
                    ((ushort*)row)[i] = (ushort)((BitConverter.SingleToUInt32Bits(value) + 0x7FFF) >> 16);
                    break;
            }
        }
    }

    private static ulong Hash(string text)
    {
        var hash = 0xCBF2_9CE4_8422_2325;
        foreach (var character in text)
        {
            hash = (hash ^ character) * 0x0000_0100_0000_01B3;
        }

        return hash;
    }
}
