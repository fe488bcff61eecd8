using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Matrices made of parts of a checkpoint's, for a backend to load: some tensors are stored transposed, or hold what is used apart.</summary>
internal sealed unsafe class DerivedWeights : IWeightSource
{
    private readonly Dictionary<string, HostTensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, QuantizedTensor> _quantized = new(StringComparer.Ordinal);
    private readonly List<NativeBuffer> _owned = [];

    public string Name => "derived weights";

    /// <summary>Valid until this is disposed of, which is soon.</summary>
    public bool StaysMapped => false;

    /// <summary>Consecutive rows of a tensor, where they lie.</summary>
    /// <param name="source">Must stay where it is as long as the rows are used.</param>
    public ExpectedTensor AddRows(string name, HostTensor source, int firstRow, int rows) =>
        Add(source with { Name = name, Rows = rows, Data = source.Data + (nint)((long)firstRow * source.Columns * source.Type.SizeBytes()) });

    /// <summary>Consecutive rows and every so many columns of a tensor, copied as [columns, rows].</summary>
    /// <param name="columnStep">From one column to the next.</param>
    public ExpectedTensor AddTransposed(string name, HostTensor source, int firstRow, int rows, int firstColumn, int columns, int columnStep)
    {
        var size = source.Type.SizeBytes();
        var buffer = NativeBuffer.Allocate((long)rows * columns * size);
        _owned.Add(buffer);
        var origin = (byte*)source.Data + ((((long)firstRow * source.Columns) + firstColumn) * size);
        if (size == sizeof(float))
        {
            Transpose((uint*)origin, source.Columns, columnStep, rows, columns, (uint*)buffer.Pointer);
        }
        else
        {
            Transpose((ushort*)origin, source.Columns, columnStep, rows, columns, (ushort*)buffer.Pointer);
        }

        return Add(new HostTensor(name, source.Type, columns, rows, (nint)buffer.Pointer));
    }

    /// <summary>Every so many elements of one row, copied as a vector.</summary>
    public ExpectedTensor AddVector(string name, HostTensor source, int row, int firstColumn, int columns, int columnStep)
    {
        AddTransposed(name, source, row, 1, firstColumn, columns, columnStep);
        return Add(_tensors[name] with { Rows = 1, Columns = columns });
    }

    /// <summary>Every so many rows of a quantised matrix, where they lie.</summary>
    /// <param name="source">Must stay readable as long as the rows are used.</param>
    public ExpectedTensor AddQuantized(string name, QuantizedTensor source, int firstRow, int rows, int rowStep)
    {
        _quantized[name] = new QuantizedRows(name, source, firstRow, rows, rowStep);
        return new ExpectedTensor(name, rows, source.Columns);
    }

    public QuantizedTensor? OpenQuantized(ExpectedTensor tensor) => _quantized.GetValueOrDefault(tensor.Name);

    public void Check(IReadOnlyList<ExpectedTensor> expected)
    {
        foreach (var tensor in expected)
        {
            Read(tensor);
        }
    }

    public HostTensor Read(ExpectedTensor tensor) => _tensors.TryGetValue(tensor.Name, out var found)
        ? found
        : throw new ModelLoadException($"'{tensor.Name}' {tensor.Shape} was not derived from the checkpoint.");

    /// <summary>Reads what is here; numbers were looked at where they came from.</summary>
    /// <param name="online">What plain matrices are quantised to; null leaves them.</param>
    public WeightReader Reader(Func<ExpectedTensor, QuantizedCode?>? online = null) =>
        new(this, 0, scanForNonFinite: false, mayReference: false, progress: null) { Online = online ?? (_ => null) };

    public void Dispose() => _owned.ForEach(buffer => buffer.Dispose());

    private ExpectedTensor Add(HostTensor tensor)
    {
        _tensors[tensor.Name] = tensor;
        return new ExpectedTensor(tensor.Name, tensor.Rows, tensor.Columns);
    }

    private static void Transpose<T>(T* source, int stride, int step, int rows, int columns, T* destination)
        where T : unmanaged
    {
        // Columns in strips, so that what is written stays in cache while rows pass.
        const int Strip = 32;
        Parallel.For(0, (columns + Strip - 1) / Strip, strip =>
        {
            var end = Math.Min((strip + 1) * Strip, columns);
            for (var row = 0; row < rows; row++)
            {
                var line = source + ((long)row * stride);
                for (var column = strip * Strip; column < end; column++)
                {
                    destination[((long)column * rows) + row] = line[(long)column * step];
                }
            }
        });
    }
}
