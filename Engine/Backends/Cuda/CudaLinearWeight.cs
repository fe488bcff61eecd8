namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A matrix [outputs, inputs] in device memory with its bias.</summary>
internal sealed class CudaLinearWeight(int outputs, int inputs, DeviceBuffer matrix, DeviceBuffer? bias) : LinearWeight(outputs, inputs)
{
    public nint Matrix => matrix.Address;

    /// <summary>[outputs] in the element type; 0 when there is none.</summary>
    public nint Bias => bias?.Address ?? 0;

    /// <summary>Holds the weight of the norm before it: its products are still to be multiplied by 1 / rms of their rows of input, before the bias.</summary>
    public bool HoldsNorm { get; set; }

    /// <summary>Its products are read in float32, without the bias.</summary>
    public bool FloatOutput { get; set; }

    /// <summary>The weight that was multiplied after it in the last step, with no attention between the two: it may be read ahead.</summary>
    public CudaLinearWeight? Next { get; set; }

    /// <summary>Its products are gate and up, which kernels of ours read side by side.</summary>
    public bool Gated { get; set; }

    public override long ByteCount => matrix.Bytes;

    public override void Dispose()
    {
        matrix.Dispose();
        bias?.Dispose();
    }
}
