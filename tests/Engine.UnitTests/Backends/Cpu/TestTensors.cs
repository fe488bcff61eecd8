using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

/// <summary>Weights in memory, with their widened values beside them.</summary>
internal sealed unsafe class TestTensors : IWeightSource
{
    private readonly Dictionary<string, (HostTensor Tensor, float[] Values)> _tensors = [];
    private readonly List<nint> _allocations = [];

    public string Name => "test";

    public bool StaysMapped => true;

    public void Check(IReadOnlyList<ExpectedTensor> expected) => Assert.All(expected, tensor => Assert.True(_tensors.ContainsKey(tensor.Name)));

    public HostTensor Read(ExpectedTensor tensor) => _tensors[tensor.Name].Tensor;

    /// <summary>Adds a tensor of uniform random numbers, rounded to its type.</summary>
    /// <returns>The values as they are stored.</returns>
    public float[] Add(string name, ElementType type, int rows, int columns, float amplitude = 1)
    {
        var random = new Random(name.Sum(character => character));
        var data = (byte*)NativeMemory.Alloc((nuint)(rows * columns * type.SizeBytes()));
        _allocations.Add((nint)data);
        var values = new float[rows * columns];
        for (var i = 0; i < values.Length; i++)
        {
            var value = ((random.NextSingle() * 2) - 1) * amplitude;
            switch (type)
            {
                case ElementType.Fp32:
                    ((float*)data)[i] = values[i] = value;
                    break;
                case ElementType.Fp16:
                    ((Half*)data)[i] = (Half)value;
                    values[i] = (float)(Half)value;
                    break;
                default:
                    var bits = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
                    ((ushort*)data)[i] = bits;
                    values[i] = BitConverter.UInt32BitsToSingle((uint)bits << 16);
                    break;
            }
        }

        _tensors[name] = (new HostTensor(name, type, rows, columns, (nint)data), values);
        return values;
    }

    public WeightReader Reader(bool mayReference) => new(this, 0, scanForNonFinite: true, mayReference, progress: null);

    public static void Fill(CpuTensor tensor, Func<int, int, float> value)
    {
        for (var row = 0; row < tensor.Rows; row++)
        {
            for (var column = 0; column < tensor.Columns; column++)
            {
                tensor.Row(row)[column] = value(row, column);
            }
        }
    }

    public void Dispose() => _allocations.ForEach(allocation => NativeMemory.Free((void*)allocation));
}
