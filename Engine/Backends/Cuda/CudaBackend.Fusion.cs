namespace Fastgen.Engine.Backends.Cuda;

/// <content>
/// Steps of at most <see cref="VectorMatmul.MaxRows"/> rows: a product waits until the next operation is known, so that one kernel can do
/// both; a norm waits for the product that reads it. What was done in passing leaves the tensor between the two unwritten, so a product's
/// output may be read either by the operation right after it or by others, not by both; the output of a norm may be read by any.
/// </content>
internal sealed unsafe partial class CudaBackend
{
    // For comparing: FASTGEN_CUDA_FUSION=0 launches every operation by itself.
    private static readonly bool Fuses = Environment.GetEnvironmentVariable("FASTGEN_CUDA_FUSION") != "0";

    private WaitingNorm _waitingNorm;
    private VectorProduct _waitingProduct;
    private bool _productWaits;

    private bool MayFuse => Fuses && _rows <= VectorMatmul.MaxRows;

    /// <summary>A norm that is launched when something else than a vector product reads its output.</summary>
    private readonly record struct WaitingNorm(CudaTensor? Hidden, CudaTensor? Weight, float Epsilon, CudaTensor? Output);

    /// <summary>hidden += delta where there is one; output = its norm.</summary>
    private void AddAndNorm(CudaTensor hidden, CudaTensor? delta, CudaTensor weight, float epsilon, CudaTensor output)
    {
        LaunchNormOf(hidden);
        LaunchNormOf(delta);
        // A product that reads the residual stream itself cannot add to it at the same time.
        if (delta is not null && _productWaits && _waitingProduct.Output == delta.Address && _waitingProduct.Shape.Outputs == hidden.Columns
            && _waitingProduct.Input != hidden.Address)
        {
            DropOrLaunchNorm(output);
            _productWaits = false;
            _matmul.Vector.Run(_waitingProduct with { Output = hidden.Address, After = VectorEpilogue.Add });
            delta = null;
        }

        LaunchProduct();
        DropOrLaunchNorm(output);
        if (delta is null && MayFuse && !ReferenceEquals(hidden, output))
        {
            _waitingNorm = new WaitingNorm(hidden, weight, epsilon, output);
            return;
        }

        LaunchNorm(hidden, delta?.Address ?? 0, weight, epsilon, output);
    }

    private void Multiply(int rows, CudaTensor? tensor, nint input, CudaLinearWeight weight, int outputType, nint output)
    {
        LaunchProduct();
        MatmulShape shape = new(rows, weight.Outputs, weight.Inputs, _elementType, outputType, weight.Bias != 0);
        if (!MayFuse || !_matmul.IsVector(shape, weight.Bias))
        {
            LaunchNormOf(tensor);
            _matmul.Run(shape, input, weight.Matrix, weight.Bias, output);
            return;
        }

        WaitingNorm norm = _waitingNorm;
        bool takesNorm = tensor is not null && ReferenceEquals(norm.Output, tensor) && norm.Weight!.Offset == 0;
        if (!takesNorm)
        {
            LaunchNormOf(tensor);
        }

        // The norm stays where it is: should something else read its output, it is launched after all.
        _waitingProduct = takesNorm
            ? new VectorProduct(shape, norm.Hidden!.Address, weight.Matrix, weight.Bias, output, norm.Weight!.Address, norm.Epsilon)
            : new VectorProduct(shape, input, weight.Matrix, weight.Bias, output);
        _productWaits = true;
    }

    /// <summary>Gives the waiting product its continuation, if it is the one that writes <paramref name="output"/>.</summary>
    private bool Continue(CudaTensor output, VectorEpilogue after, nint target, in RotaryTarget rotary)
    {
        if (!_productWaits || _waitingProduct.Output != output.Address || _waitingProduct.Shape.Outputs != output.Columns)
        {
            return false;
        }

        _productWaits = false;
        _matmul.Vector.Run(_waitingProduct with { After = after, Output = target, Rotary = rotary });
        return true;
    }

    /// <summary>Launches what waits: an operation comes that cannot go together with it.</summary>
    private void LaunchWaiting()
    {
        LaunchProduct();
        LaunchNorm();
    }

    private void ForgetWaiting()
    {
        _productWaits = false;
        _waitingNorm = default;
    }

    private void LaunchProduct()
    {
        if (_productWaits)
        {
            _productWaits = false;
            _matmul.Vector.Run(_waitingProduct);
        }
    }

    private void LaunchNorm()
    {
        if (_waitingNorm.Output is { } output)
        {
            LaunchNorm(_waitingNorm.Hidden!, 0, _waitingNorm.Weight!, _waitingNorm.Epsilon, output);
            _waitingNorm = default;
        }
    }

    /// <summary>Before a tensor is read: it may be what the waiting norm is to write.</summary>
    private void LaunchNormOf(CudaTensor? read)
    {
        if (read is not null && ReferenceEquals(_waitingNorm.Output, read))
        {
            LaunchNorm();
        }
    }

    /// <summary>Before the residual stream changes: a waiting norm whose output is about to be overwritten is never needed.</summary>
    private void DropOrLaunchNorm(CudaTensor overwritten)
    {
        if (ReferenceEquals(_waitingNorm.Output, overwritten))
        {
            _waitingNorm = default;
        }

        LaunchNorm();
    }

    private void LaunchNorm(CudaTensor hidden, nint delta, CudaTensor weight, float epsilon, CudaTensor output)
    {
        _norm.Launch(_device.Stream, _rows, 1, NormThreads(hidden.Columns), output.Address, hidden.Address, delta, weight.Address, hidden.Columns, epsilon, weight.Offset);
    }

    /// <summary>Two 16-byte pieces of a row per thread keep the most bytes in flight.</summary>
    private static int NormThreads(int columns) => Math.Clamp(((columns / 16) + 31) / 32 * 32, 32, 1024);
}
