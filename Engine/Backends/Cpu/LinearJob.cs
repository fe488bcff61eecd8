using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>output = input × weightᵀ + bias; an item is a range of outputs.</summary>
/// <remarks>Few rows (decode) stream each weight from memory once and multiply it with all rows while it is in a register or in
/// the first-level cache. Many rows (prompts) stay in the second-level cache by groups, and weights are widened in registers for each group; weights that
/// are not packed, and small floats, are widened into a panel once that all rows pass over.</remarks>
internal sealed unsafe class LinearJob : KernelJob
{
    /// <summary>Most rows that stream.</summary>
    private const int StreamRows = 16;

    /// <summary>Bytes that prefetching runs ahead, at least.</summary>
    private const int PrefetchBytes = 8 << 10;

    /// <summary>Outputs of a panel: 64 × 1024 floats stay in a second-level cache.</summary>
    private const int PanelOutputs = 64;

    /// <summary>Rows of a group: 96 × 1024 floats stay in a second-level cache.</summary>
    private const int GroupRows = 96;

    /// <summary>Bytes of weights that a streaming item is worth starting for.</summary>
    private const int StreamItemBytes = 64 << 10;

    /// <summary>Most bytes of a streaming item: longer streams are read faster, up to about this.</summary>
    private const int StreamItemLimitBytes = 256 << 10;

    /// <summary>Streaming items per thread, where they are long enough, so that a thread that was put aside holds little up.</summary>
    private const int StreamItemsPerThread = 8;

    private readonly PrepareInputJob _prepare = new();
    private readonly NativeBuffer[] _panels;
    private readonly bool _ownsPanels = true;
    private readonly List<(int Segment, int Start, int Count)> _items = [];
    private CpuLinearWeight _weight = null!;
    private float* _input;
    private nint _inputStride;
    private float* _output;
    private nint _outputStride;
    private int _rows;

    public LinearJob(int workers)
    {
        _panels = new NativeBuffer[workers];
        for (var i = 0; i < workers; i++)
        {
            _panels[i] = NativeBuffer.Allocate((long)PanelOutputs * LinearKernel.BlockInputs * sizeof(float));
        }
    }

    /// <param name="shared">Whose scratch memory is used; no more than one item runs on a thread at a time.</param>
    public LinearJob(LinearJob shared)
    {
        _panels = shared._panels;
        _ownsPanels = false;
    }

    public void Run(WorkerPool pool, float* input, nint inputStride, int rows, CpuLinearWeight weight, float* output, nint outputStride) =>
        pool.Run(this, Prepare(pool, input, inputStride, rows, weight, output, outputStride));

    /// <summary>Takes a product over and cuts it into items.</summary>
    /// <returns>How many items.</returns>
    public int Prepare(WorkerPool pool, float* input, nint inputStride, int rows, CpuLinearWeight weight, float* output, nint outputStride)
    {
        _weight = weight;
        _input = input;
        _inputStride = inputStride;
        _rows = rows;
        _output = output;
        _outputStride = outputStride;
        _items.Clear();
        for (var s = 0; s < weight.Segments.Length; s++)
        {
            ref readonly var segment = ref weight.Segments[s];
            var step = PanelOutputs;
            if (rows <= StreamRows)
            {
                var itemBytes = Math.Clamp(segment.RowCount * segment.RowBytes / (pool.ThreadCount * StreamItemsPerThread), StreamItemBytes, StreamItemLimitBytes);
                var unit = segment.Layout is { IsInteger: true } ? IntegerProduct.StripOutputs : LinearKernel.TileOutputs;
                step = (int)Math.Max(itemBytes / segment.RowBytes / unit * unit, unit);
            }

            for (var start = 0; start < segment.RowCount; start += step)
            {
                _items.Add((s, start, Math.Min(step, segment.RowCount - start)));
            }
        }

        _prepare.Run(pool, input, inputStride, rows, weight);
        return _items.Count;
    }

    public override void Execute(int item, int worker)
    {
        var (s, start, count) = _items[item];
        ref readonly var segment = ref _weight.Segments[s];
        if (segment.Layout is { IsInteger: true } layout)
        {
            if (Vector512.IsHardwareAccelerated)
            {
                ExecuteInteger<Simd512, Vector512<float>, Vector512<int>>(segment, layout, start, count, worker);
            }
            else
            {
                ExecuteInteger<Simd256, Vector256<float>, Vector256<int>>(segment, layout, start, count, worker);
            }
        }
        else if (Vector512.IsHardwareAccelerated)
        {
            Execute<Simd512, Vector512<float>>(segment, start, count, worker);
        }
        else
        {
            Execute<Simd256, Vector256<float>>(segment, start, count, worker);
        }
    }

    public void DisposeBuffers()
    {
        _prepare.DisposeBuffers();
        foreach (var panel in _ownsPanels ? _panels : [])
        {
            panel.Dispose();
        }
    }

    private void Execute<TSimd, TVector>(in CpuLinearWeight.Segment segment, int start, int count, int worker)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (segment.Layout is { } layout)
        {
            if (layout.Code == QuantizedCode.Fp4)
            {
                ExecuteFloats<TSimd, TVector, Float4Code>(segment, layout, start, count, worker);
            }
            else
            {
                ExecuteFloats<TSimd, TVector, Float8Code>(segment, layout, start, count, worker);
            }

            return;
        }

        switch (segment.Type)
        {
            case ElementType.Fp32:
                Execute<TSimd, TVector, Float32Element>(segment, start, count, worker);
                break;
            case ElementType.Fp16 when segment.IsPacked:
                ExecutePacked<TSimd, TVector, Float16Element>(segment, start, count);
                break;
            case ElementType.Fp16:
                Execute<TSimd, TVector, Float16Element>(segment, start, count, worker);
                break;
            case ElementType.Bf16 when segment.IsPacked:
                ExecutePacked<TSimd, TVector, BFloat16Element>(segment, start, count);
                break;
            default:
                Execute<TSimd, TVector, BFloat16Element>(segment, start, count, worker);
                break;
        }
    }

    private void Execute<TSimd, TVector, TElement>(in CpuLinearWeight.Segment segment, int start, int count, int worker)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        if (_rows <= StreamRows)
        {
            Stream<TSimd, TVector, TElement>(segment, start, count);
        }
        else
        {
            Panel<TSimd, TVector, TElement>(segment, start, count, (float*)_panels[worker].Pointer);
        }
    }

    private void ExecutePacked<TSimd, TVector, TElement>(in CpuLinearWeight.Segment segment, int start, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        if (_rows <= StreamRows)
        {
            StreamPacked<TSimd, TVector, TElement>(segment, start, count);
            return;
        }

        BlockPacked<TSimd, TVector, TElement>(segment, start, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void StreamPacked<TSimd, TVector, TElement>(in CpuLinearWeight.Segment segment, int start, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        var inputs = CpuTensor.Pad(_weight.Inputs);
        var input = InputOf(segment);
        var sums = stackalloc float[StreamRows * LinearKernel.TileOutputs];
        PackedKernel.Begin(segment.Data + (start * segment.RowBytes));
        for (var first = 0; first < count; first += LinearKernel.TileOutputs)
        {
            var tile = segment.Data + ((start + first) * segment.RowBytes);
            new Span<float>(sums, _rows * LinearKernel.TileOutputs).Clear();
            for (var k = 0; k < inputs; k += LinearKernel.BlockInputs)
            {
                PackedKernel.AddBlock<TSimd, TVector, TElement>(tile + ((nint)k * LinearKernel.TileOutputs * TElement.SizeBytes), input + k, _inputStride, _rows, Math.Min(LinearKernel.BlockInputs, inputs - k), sums, LinearKernel.TileOutputs);
            }

            WriteTile(sums, segment.FirstOutput + start + first, Math.Min(LinearKernel.TileOutputs, count - first));
        }
    }

    /// <summary>Many rows: a group of them stays in the second-level cache while the tiles pass by, and a tile stays in the first-level
    /// cache while it is multiplied with the group. Widening in registers costs less than widening into a panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BlockPacked<TSimd, TVector, TElement>(in CpuLinearWeight.Segment segment, int start, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        var inputs = CpuTensor.Pad(_weight.Inputs);
        var input = InputOf(segment);
        var sums = stackalloc float[GroupRows * PanelOutputs];
        var groups = (_rows + GroupRows - 1) / GroupRows;
        var groupRows = (((_rows + groups - 1) / groups) + LinearKernel.TileRows - 1) / LinearKernel.TileRows * LinearKernel.TileRows;
        for (var begin = 0; begin < count; begin += PanelOutputs)
        {
            var outputs = Math.Min(PanelOutputs, count - begin);
            for (var row = 0; row < _rows; row += groupRows)
            {
                var rows = Math.Min(groupRows, _rows - row);
                new Span<float>(sums, rows * PanelOutputs).Clear();
                for (var k = 0; k < inputs; k += LinearKernel.BlockInputs)
                {
                    var block = Math.Min(LinearKernel.BlockInputs, inputs - k);
                    var x = input + (row * _inputStride) + k;
                    for (var i = 0; i < outputs; i += LinearKernel.TileOutputs)
                    {
                        var line = segment.Data + ((start + begin + i) * segment.RowBytes) + ((nint)k * LinearKernel.TileOutputs * TElement.SizeBytes);
                        PackedKernel.AddBlock<TSimd, TVector, TElement>(line, x, _inputStride, rows, block, sums + i, PanelOutputs);
                    }
                }

                for (var r = 0; r < rows; r++)
                {
                    var destination = _output + ((row + r) * _outputStride) + segment.FirstOutput + start + begin;
                    for (var i = 0; i < outputs; i += LinearKernel.TileOutputs)
                    {
                        Write(destination + i, sums + (r * PanelOutputs) + i, segment.FirstOutput + start + begin + i, Math.Min(LinearKernel.TileOutputs, outputs - i));
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stream<TSimd, TVector, TElement>(in CpuLinearWeight.Segment segment, int start, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var inputs = CpuTensor.Pad(_weight.Inputs);
        var input = InputOf(segment);
        var sums = stackalloc float[StreamRows * LinearKernel.TileOutputs];
        var tileBytes = segment.RowBytes * LinearKernel.TileOutputs;
        var ahead = (PrefetchBytes + tileBytes - 1) / tileBytes * tileBytes;
        for (var first = 0; first < count; first += LinearKernel.TileOutputs)
        {
            var valid = Math.Min(LinearKernel.TileOutputs, count - first);
            var w0 = segment.Data + ((start + first) * segment.RowBytes);

            // A last tile of fewer rows reads its last row again.
            var w1 = w0 + (valid > 1 ? segment.RowBytes : 0);
            var w2 = w1 + (valid > 2 ? segment.RowBytes : 0);
            var w3 = w2 + (valid > 3 ? segment.RowBytes : 0);
            new Span<float>(sums, _rows * LinearKernel.TileOutputs).Clear();
            for (var k = 0; k < inputs; k += LinearKernel.BlockInputs)
            {
                var offset = (nint)k * TElement.SizeBytes;
                LinearKernel.AddBlock<TSimd, TVector, TElement>(w0 + offset, w1 + offset, w2 + offset, w3 + offset, ahead, input + k, _inputStride, _rows, Math.Min(LinearKernel.BlockInputs, inputs - k), sums, LinearKernel.TileOutputs);
            }

            WriteTile(sums, segment.FirstOutput + start + first, valid);
        }
    }

    private float* InputOf(in CpuLinearWeight.Segment segment) => segment.Preparation is null ? _input : _prepare.Floats(segment.Preparation);

    private void ExecuteInteger<TSimd, TVector, TInteger>(in CpuLinearWeight.Segment segment, QuantizedLayout layout, int start, int count, int worker)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
    {
        var first = segment.FirstOutput + start;
        var bias = _weight.Bias is { } vector ? vector.Data + first : null;
        IntegerProduct.Run<TSimd, TVector, TInteger>(layout, segment.Data, start, count, _prepare.Integers(segment.Preparation!), _output + first, _outputStride, bias, _panels[worker].Pointer);
    }

    private void ExecuteFloats<TSimd, TVector, TCode>(in CpuLinearWeight.Segment segment, QuantizedLayout layout, int start, int count, int worker)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TCode : struct, IFloatCode
    {
        switch (layout.ScaleType)
        {
            case ElementType.Fp32:
                ExecuteFloats<TSimd, TVector, TCode, Float32Element>(segment, layout, start, count, worker);
                break;
            case ElementType.Fp16:
                ExecuteFloats<TSimd, TVector, TCode, Float16Element>(segment, layout, start, count, worker);
                break;
            default:
                ExecuteFloats<TSimd, TVector, TCode, BFloat16Element>(segment, layout, start, count, worker);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ExecuteFloats<TSimd, TVector, TCode, TScale>(in CpuLinearWeight.Segment segment, QuantizedLayout layout, int start, int count, int worker)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TCode : struct, IFloatCode
        where TScale : struct, IElement
    {
        var input = InputOf(segment);
        var panel = (float*)_panels[worker].Pointer;
        var sums = stackalloc float[StreamRows * LinearKernel.TileOutputs];
        var scales = stackalloc float[FloatCodeKernel.ScaleRoom];
        var isPanel = _rows > StreamRows;
        if (!isPanel)
        {
            PackedKernel.Begin(segment.Data + (start * segment.RowBytes));
        }

        // A panel holds all tiles of a block before rows pass over it; a stream goes through one tile after the other.
        var tilesAtOnce = isPanel ? count : LinearKernel.TileOutputs;
        for (var begin = 0; begin < count; begin += tilesAtOnce)
        {
            new Span<float>(sums, StreamRows * LinearKernel.TileOutputs).Clear();
            for (var k = 0; k < layout.Inputs; k += LinearKernel.BlockInputs)
            {
                var block = Math.Min(LinearKernel.BlockInputs, layout.Inputs - k);
                var groupEnd = layout.GroupInputs - (k % layout.GroupInputs);
                for (var first = begin; first < begin + tilesAtOnce; first += LinearKernel.TileOutputs)
                {
                    var tile = segment.Data + ((start + first) * segment.RowBytes);
                    var codes = tile + layout.CodeOffset + ((nint)k / QuantizedWeights.UnitInputs * LinearKernel.TileOutputs * TCode.UnitBytes);
                    FloatCodeKernel.LoadScales<TSimd, TVector, TScale>(layout, tile, k, block, scales);
                    if (isPanel)
                    {
                        FloatCodeKernel.Widen<TSimd, TVector, TCode>(codes, block, groupEnd, layout.GroupInputs, scales, panel + ((nint)first * LinearKernel.BlockInputs));
                    }
                    else
                    {
                        FloatCodeKernel.AddBlock<TSimd, TVector, TCode>(codes, input + k, _inputStride, _rows, block, groupEnd, layout.GroupInputs, scales, sums);
                    }
                }

                if (isPanel)
                {
                    MultiplyPanel<TSimd, TVector>(panel, input, k, block, segment.FirstOutput + start, count);
                }
            }

            if (!isPanel)
            {
                WriteTile(sums, segment.FirstOutput + start + begin, Math.Min(LinearKernel.TileOutputs, count - begin));
            }
        }
    }

    private void WriteTile(float* sums, int output, int valid)
    {
        for (var row = 0; row < _rows; row++)
        {
            Write(_output + (row * _outputStride) + output, sums + (row * LinearKernel.TileOutputs), output, valid);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Write(float* destination, float* sums, int output, int valid)
    {
        var bias = _weight.Bias;
        if (valid == LinearKernel.TileOutputs)
        {
            var tile = Vector128.Load(sums);
            (bias is null ? tile : tile + Vector128.Load(bias.Data + output)).Store(destination);
            return;
        }

        for (var i = 0; i < valid; i++)
        {
            destination[i] = bias is null ? sums[i] : sums[i] + bias.Data[output + i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Panel<TSimd, TVector, TElement>(in CpuLinearWeight.Segment segment, int start, int count, float* panel)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var inputs = CpuTensor.Pad(_weight.Inputs);
        for (var k = 0; k < inputs; k += LinearKernel.BlockInputs)
        {
            var block = Math.Min(LinearKernel.BlockInputs, inputs - k);
            for (var i = 0; i < count; i++)
            {
                var source = segment.Data + ((start + i) * segment.RowBytes) + ((nint)k * TElement.SizeBytes);
                var destination = panel + ((nint)i * LinearKernel.BlockInputs);
                for (var j = 0; j < block; j += TSimd.Lanes)
                {
                    TSimd.Store(TElement.Load<TSimd, TVector>(source + ((nint)j * TElement.SizeBytes)), destination + j);
                }
            }

            MultiplyPanel<TSimd, TVector>(panel, InputOf(segment), k, block, segment.FirstOutput + start, count);
        }
    }

    /// <summary>Passes all rows over a panel of widened weights.</summary>
    /// <param name="panel">[count, BlockInputs]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyPanel<TSimd, TVector>(float* panel, float* input, int k, int block, int firstOutput, int count)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var sums = stackalloc float[LinearKernel.TileRows * LinearKernel.TileOutputs];
        var isFirst = k == 0;
        var isLast = k + block == CpuTensor.Pad(_weight.Inputs);
        for (var row = 0; row < _rows; row += LinearKernel.TileRows)
        {
            var rows = Math.Min(LinearKernel.TileRows, _rows - row);
            var x = input + (row * _inputStride) + k;
            for (var i = 0; i < count; i += LinearKernel.TileOutputs)
            {
                var valid = Math.Min(LinearKernel.TileOutputs, count - i);
                var w0 = (byte*)(panel + ((nint)i * LinearKernel.BlockInputs));
                const int RowBytes = LinearKernel.BlockInputs * sizeof(float);
                var w1 = w0 + (valid > 1 ? RowBytes : 0);
                var w2 = w1 + (valid > 2 ? RowBytes : 0);
                var w3 = w2 + (valid > 3 ? RowBytes : 0);
                new Span<float>(sums, LinearKernel.TileRows * LinearKernel.TileOutputs).Clear();
                LinearKernel.AddBlock<TSimd, TVector, Float32Element>(w0, w1, w2, w3, 0, x, _inputStride, rows, block, sums, LinearKernel.TileOutputs);
                for (var r = 0; r < rows; r++)
                {
                    var destination = _output + ((row + r) * _outputStride) + firstOutput + i;
                    var tile = sums + (r * LinearKernel.TileOutputs);
                    if (!isFirst)
                    {
                        for (var j = 0; j < valid; j++)
                        {
                            tile[j] = destination[j] + tile[j];
                        }
                    }

                    if (isLast)
                    {
                        Write(destination, tile, firstOutput + i, valid);
                    }
                    else
                    {
                        for (var j = 0; j < valid; j++)
                        {
                            destination[j] = tile[j];
                        }
                    }
                }
            }
        }
    }
}
