using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Backends.Cuda;

/// <content>What is loaded from a checkpoint.</content>
internal sealed unsafe partial class CudaBackend
{
    // Matrices and the norms whose weights are multiplied into them once the kernels are there.
    private readonly List<(CudaLinearWeight Matrix, CudaTensor Norm)> _toFold = [];

    public LinearWeight LoadLinear(string name, IReadOnlyList<LinearPart> parts, WeightReader reader, DeviceTensor? norm = null)
    {
        _device.MakeCurrent();
        int inputs = Padded(parts[0].Weight.Columns), outputs = parts.Sum(part => part.Weight.Rows);
        DeviceBuffer matrix = new(_device, (long)inputs * outputs * 2, $"the weights of {name}");
        DeviceBuffer? bias = null;
        try
        {
            int first = 0;
            foreach (LinearPart part in parts)
            {
                _uploader.Upload(reader.Read(part.Weight), matrix.Address + (nint)((long)first * inputs * 2), inputs);
                if (part.Bias is { } expected)
                {
                    if (bias is null)
                    {
                        bias = new DeviceBuffer(_device, outputs * 2L, $"the bias of {name}");
                        Driver.FillAsync(bias.Address, 0, (nuint)bias.Bytes, _device.Stream).Check();
                    }

                    _uploader.Upload(reader.Read(expected), bias.Address + (nint)(first * 2L));
                }

                first += part.Weight.Rows;
            }

            CudaLinearWeight weight = new(outputs, inputs, matrix, bias);
            _linears.Add(weight);
            PlanFolding(weight, (CudaTensor?)norm);
            return weight;
        }
        catch
        {
            matrix.Dispose();
            bias?.Dispose();
            throw;
        }
    }

    public DeviceTensor LoadTable(HostTensor table, bool mayReference)
    {
        _device.MakeCurrent();
        RequireMultiple(table.Columns, table.Name);
        DeviceBuffer buffer = new(_device, table.ElementCount * 2, table.Name);
        _uploader.Upload(table, buffer.Address);
        return new CudaTensor(table.Rows, table.Columns, buffer.Address, buffer);
    }

    public DeviceTensor ShareTable(LinearWeight matrix) => new CudaTensor(matrix.Outputs, matrix.Inputs, ((CudaLinearWeight)matrix).Matrix, null);

    public DeviceTensor LoadVector(HostTensor vector, float offset)
    {
        _device.MakeCurrent();
        DeviceBuffer buffer = new(_device, vector.ElementCount * 2, vector.Name);
        _uploader.Upload(vector, buffer.Address);
        DeviceBuffer precise = DeviceBuffer.Of<float>(_device, WeightUploader.Widen(vector), vector.Name);
        return new CudaTensor(vector.Rows, vector.Columns, buffer.Address, buffer) { Offset = offset, Precise = precise };
    }

    /// <summary>In bf16 alone, whose range is float32's: fp16 might not hold a weight times a norm's.</summary>
    private void PlanFolding(CudaLinearWeight matrix, CudaTensor? norm)
    {
        if (norm is null || _fp16 || norm.Columns != matrix.Inputs || (matrix.Bias != 0 && matrix.Outputs == 2 * _options.Config.IntermediateSize))
        {
            return;
        }

        matrix.HoldsNorm = true;
        norm.Folded = true;
        _toFold.Add((matrix, norm));
    }

    private void FoldNorms()
    {
        foreach ((CudaLinearWeight matrix, CudaTensor norm) in _toFold)
        {
            _foldNorm.Launch(_device.Stream, matrix.Outputs, 1, 256, matrix.Matrix, norm.Float32, matrix.Inputs, norm.Offset);
        }

        _toFold.Clear();
    }

    /// <summary>Columns that rows take in memory: whole pieces of 16 bytes, what is beyond the row's own being zero.</summary>
    private static int Padded(int columns) => (columns + 7) / 8 * 8;

    private static void RequireMultiple(int columns, string name)
    {
        if (columns % 8 != 0)
        {
            throw new CudaException($"The CUDA kernels read 8 elements at a time, but {name} has rows of {columns}; use the CPU backend for this model.");
        }
    }
}
