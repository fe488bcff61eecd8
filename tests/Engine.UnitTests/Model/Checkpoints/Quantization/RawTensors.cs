using System.Runtime.InteropServices;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints.Quantization;

/// <summary>Tensors of any dtype in memory, as a file would hold them.</summary>
internal sealed class RawTensors
{
    private readonly Dictionary<string, (TensorShape Shape, byte[] Bytes)> _tensors = [];

    public IReadOnlyCollection<string> Names => _tensors.Keys;

    public RawTensors Add<T>(string name, string type, long[] dimensions, T[] values)
        where T : unmanaged
    {
        var bytes = GC.AllocateUninitializedArray<byte>(values.Length * Marshal.SizeOf<T>(), pinned: true);
        MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(bytes);
        _tensors[name] = (new TensorShape(type, dimensions), bytes);
        return this;
    }

    public void Remove(string name) => _tensors.Remove(name);

    /// <summary>Says that a tensor has another shape or type, with as many bytes as before.</summary>
    public void Relabel(string name, string? type, long[]? dimensions)
    {
        var (shape, bytes) = _tensors[name];
        _tensors[name] = (new TensorShape(type ?? shape.TypeCode, dimensions ?? shape.Dimensions), bytes);
    }

    public TensorShape Shape(string name) => _tensors[name].Shape;

    public StoredTensor? Find(string name) =>
        _tensors.TryGetValue(name, out var found) ? new StoredTensor(name, found.Shape, Marshal.UnsafeAddrOfPinnedArrayElement(found.Bytes, 0)) : null;

    /// <summary>Keeps buffers alive that addresses point into.</summary>
    public void KeepAlive() => GC.KeepAlive(_tensors);
}
