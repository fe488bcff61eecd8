using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Rounds and reorders the input of a linear layer as <see cref="InputPreparation"/> says; an item is a row.</summary>
internal sealed unsafe class PrepareInputJob : KernelJob
{
    /// <summary>Smallest scale of measured int8 activations (float32's epsilon), as compressed-tensors has it.</summary>
    private const float SmallestScale = 1.1920929e-7f;

    /// <summary>Largest number that is taken for 0 when fp8 scales are measured.</summary>
    private const float SmallestRange = 1e-12f;

    private NativeBuffer? _floats;
    private NativeBuffer? _integers;
    private CpuLinearWeight _weight = null!;
    private float* _input;
    private nint _stride;
    private int _rows;

    /// <param name="input">[rows, inputs]</param>
    /// <param name="stride">Floats from one row to the next, of the input and of what comes out.</param>
    public void Run(WorkerPool pool, float* input, nint stride, int rows, CpuLinearWeight weight)
    {
        if (weight.Preparations.Length == 0)
        {
            return;
        }

        _weight = weight;
        _input = input;
        _stride = stride;
        _rows = rows;
        foreach (var preparation in weight.Preparations)
        {
            if (preparation.ChangesFloats)
            {
                Grow(ref _floats, (long)weight.Preparations.Length * rows * stride * sizeof(float));
            }

            if (preparation.IsInteger)
            {
                Grow(ref _integers, (long)weight.Preparations.Length * rows * RoundedInput.RowBytesOf(weight.Inputs));
            }
        }

        pool.Run(this, rows * weight.Preparations.Length);
    }

    /// <summary>The prepared input, with the stride of the plain one.</summary>
    public float* Floats(InputPreparation preparation) => Floats(Array.IndexOf(_weight.Preparations, preparation));

    /// <summary>The prepared input where <see cref="InputPreparation.IsInteger"/>.</summary>
    public RoundedInput Integers(InputPreparation preparation) => Integers(Array.IndexOf(_weight.Preparations, preparation));

    public override void Execute(int item, int worker)
    {
        var (index, row) = Math.DivRem(item, _rows);
        var preparation = _weight.Preparations[index];
        var source = _input + (row * _stride);
        if (preparation.ChangesFloats)
        {
            var target = Floats(index) + (row * _stride);
            Change(preparation, new ReadOnlySpan<float>(source, (int)_stride), new Span<float>(target, (int)_stride));
            source = target;
        }

        if (preparation.IsInteger)
        {
            Integers(index).Round(source, row);
        }
    }

    public void DisposeBuffers()
    {
        _floats?.Dispose();
        _integers?.Dispose();
    }

    private static void Grow(ref NativeBuffer? buffer, long bytes)
    {
        if (buffer is null || (long)buffer.ByteCount < bytes)
        {
            buffer?.Dispose();
            buffer = NativeBuffer.Allocate(bytes);
        }
    }

    private float* Floats(int index) => (float*)_floats!.Pointer + (index * _rows * _stride);

    private RoundedInput Integers(int index) => new(_integers!.Pointer + (index * _rows * RoundedInput.RowBytesOf(_weight.Inputs)), _rows, _weight.Inputs, _weight.Preparations[index].IntegerBits == InputPreparation.PreciseBits);

    private void Change(InputPreparation preparation, ReadOnlySpan<float> source, Span<float> target)
    {
        source.CopyTo(target);
        if (preparation.Activations is { } activations)
        {
            var columns = _weight.Inputs;
            var group = activations.GroupColumns > 0 ? activations.GroupColumns : columns;
            for (var first = 0; first < columns; first += group)
            {
                Round(target.Slice(first, Math.Min(group, columns - first)), activations);
            }
        }

        if (preparation.Order is { } order)
        {
            // Rounded numbers lie in the target already; gathering needs another place to read from.
            var natural = System.Buffers.ArrayPool<float>.Shared.Rent(order.Length);
            target[..order.Length].CopyTo(natural);
            for (var i = 0; i < order.Length; i++)
            {
                target[i] = natural[order[i]];
            }

            System.Buffers.ArrayPool<float>.Shared.Return(natural);
        }
    }

    private static void Round(Span<float> values, ActivationQuantization activations)
    {
        if (activations.Code == QuantizedCode.Fp8)
        {
            var scale = activations.Scale ?? Math.Max(Largest(values), SmallestRange) / Float8.Largest;
            foreach (ref var value in values)
            {
                value = Float8.Round(value / scale) * scale;
            }

            return;
        }

        var (step, zero) = activations.Scale is { } given ? (given, activations.Zero) : MeasureInt8(values, activations.IsSymmetric);
        foreach (ref var value in values)
        {
            value = (Math.Clamp(MathF.Round((value / step) + zero), -128, 127) - zero) * step;
        }
    }

    private static float Largest(ReadOnlySpan<float> values)
    {
        var largest = 0f;
        foreach (var value in values)
        {
            largest = MathF.Max(largest, MathF.Abs(value));
        }

        return largest;
    }

    private static (float Scale, int Zero) MeasureInt8(ReadOnlySpan<float> values, bool isSymmetric)
    {
        var (low, high) = (0f, 0f);
        foreach (var value in values)
        {
            low = MathF.Min(low, value);
            high = MathF.Max(high, value);
        }

        if (isSymmetric)
        {
            return (MathF.Max(MathF.Max(-low, high) / 127.5f, SmallestScale), 0);
        }

        var scale = MathF.Max((high - low) / 255, SmallestScale);
        return (scale, (int)MathF.Round(Math.Clamp(-128 - (low / scale), -128, 127)));
    }
}
