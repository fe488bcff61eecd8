using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Brings tensors to the device through two page-locked buffers: the host fills one, converting if need be, while the other travels.</summary>
internal sealed unsafe class WeightUploader : IDisposable
{
    private const int PieceElements = 16 << 20;
    private const int SliceElements = 1 << 20;

    private readonly CudaDevice _device;
    private readonly ElementType _type;
    private readonly PinnedBuffer[] _staging;
    private readonly nint[] _sent = new nint[2];
    private int _next;

    /// <param name="type">Element type on the device: fp16 or bf16.</param>
    public WeightUploader(CudaDevice device, ElementType type)
    {
        _device = device;
        _type = type;
        _staging = [new PinnedBuffer(PieceElements * 2L, "sending weights"), new PinnedBuffer(PieceElements * 2L, "sending weights")];
        for (int i = 0; i < _sent.Length; i++)
        {
            nint e;
            Driver.EventCreate(&e, 2).Check();
            _sent[i] = e;
        }
    }

    /// <summary>Queues the copy; the tensor's host memory has been read when this returns.</summary>
    public void Upload(HostTensor tensor, nint destination)
    {
        for (long start = 0; start < tensor.ElementCount; start += PieceElements)
        {
            int count = (int)Math.Min(PieceElements, tensor.ElementCount - start);
            int buffer = _next;
            _next ^= 1;
            Driver.EventSynchronize(_sent[buffer]).Check();
            byte* staging = _staging[buffer].Pointer;
            nint source = tensor.Data + (nint)(start * tensor.Type.SizeBytes());
            int slices = (count + SliceElements - 1) / SliceElements;
            if (slices == 1)
            {
                Convert(source, tensor.Type, staging, 0, count);
            }
            else
            {
                Parallel.For(0, slices, slice => Convert(source, tensor.Type, staging, slice * SliceElements, Math.Min(SliceElements, count - (slice * SliceElements))));
            }

            Driver.CopyToDeviceAsync(destination + (nint)(start * 2), staging, (nuint)count * 2, _device.Stream).Check();
            Driver.EventRecord(_sent[buffer], _device.Stream).Check();
        }
    }

    /// <summary>The same for a matrix whose rows are padded with zeros on the device.</summary>
    /// <param name="columns">Of a row there, as many as the tensor has or more.</param>
    public void Upload(HostTensor tensor, nint destination, int columns)
    {
        if (columns == tensor.Columns)
        {
            Upload(tensor, destination);
            return;
        }

        int size = tensor.Type.SizeBytes();
        byte[] rows = new byte[(long)tensor.Rows * columns * size];
        for (int row = 0; row < tensor.Rows; row++)
        {
            new ReadOnlySpan<byte>((byte*)tensor.Data + ((long)row * tensor.Columns * size), tensor.Columns * size).CopyTo(rows.AsSpan(row * columns * size));
        }

        fixed (byte* padded = rows)
        {
            Upload(tensor with { Columns = columns, Data = (nint)padded }, destination);
        }
    }

    /// <summary>A small tensor in float32.</summary>
    public static float[] Widen(HostTensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Value(tensor.Data, tensor.Type, i);
        }

        return values;
    }

    public void Dispose()
    {
        _device.Synchronize();
        foreach (PinnedBuffer buffer in _staging)
        {
            buffer.Dispose();
        }

        foreach (nint e in _sent)
        {
            Driver.EventDestroy(e);
        }
    }

    private static float Value(nint source, ElementType type, int index) => type switch
    {
        ElementType.Fp32 => ((float*)source)[index],
        ElementType.Fp16 => (float)((Half*)source)[index],
        _ => BitConverter.UInt32BitsToSingle((uint)((ushort*)source)[index] << 16),
    };

    private void Convert(nint source, ElementType from, byte* staging, int offset, int count)
    {
        Span<ushort> target = new((ushort*)staging + offset, count);
        if (from == _type)
        {
            new ReadOnlySpan<ushort>((ushort*)source + offset, count).CopyTo(target);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            float value = Value(source, from, offset + i);
            target[i] = _type == ElementType.Fp16 ? BitConverter.HalfToUInt16Bits((Half)value) : RoundToBf16(value);
        }
    }

    /// <summary>Nearest, ties to even. Weights are finite: the loader looked.</summary>
    private static ushort RoundToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
