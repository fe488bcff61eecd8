namespace Fastgen.Engine.Backends.Cuda;

/// <content>
/// A product waits until the next operation is known, so that one kernel can do both; a norm waits for the product that reads it in steps of few
/// rows, and where its weight is part of the product's: then what is left of it, a factor for each row, is applied to the sums. What was done in
/// passing leaves the tensor between the two unwritten, so a product's output may be read either by the operation right after it or by others, not
/// by both; the output of a norm may be read by any.
/// </content>
internal sealed unsafe partial class CudaBackend
{
    // For comparing: FASTGEN_CUDA_FUSION=0 launches every operation by itself.
    private static readonly bool Fuses = Environment.GetEnvironmentVariable("FASTGEN_CUDA_FUSION") != "0";

    private WaitingNorm _waitingNorm;
    private FusedProduct _waitingProduct;
    private FusedMatmul? _waitingKernel;
    private bool _productWaits;
    private nint _normedInput;
    private CudaLinearWeight? _lastWeight;

    /// <summary>No kernel for more rows normalises its input, so there a norm would wait for nothing, unless its weight is part of the product's.</summary>
    private bool MayWait(CudaTensor normWeight) => Fuses && (normWeight.Folded || _rows <= (StationaryMatmul.RunsOn(_device) ? StationaryMatmul.MaxRows : VectorMatmul.MaxRows));

    /// <summary>What is still to be done to a product: multiplied by 1 / rms of its rows of input, then the bias added.</summary>
    private readonly record struct Unfinished(nint Input, int Inputs, float Epsilon, nint Bias);

    /// <summary>A norm that is launched when something else than a product that takes norms reads its output.</summary>
    private readonly record struct WaitingNorm(CudaTensor? Hidden, CudaTensor? Weight, float Epsilon, CudaTensor? Output);

    /// <summary>hidden += delta where there is one; output = its norm.</summary>
    private void AddAndNorm(CudaTensor hidden, CudaTensor? delta, CudaTensor weight, float epsilon, CudaTensor output)
    {
        LaunchNormOf(hidden);
        LaunchNormOf(delta);
        if (delta is not null && AddWaiting(hidden, delta, output))
        {
            delta = null;
        }

        LaunchProduct();
        DropOrLaunchNorm(output);
        if (delta is null && MayWait(weight) && !ReferenceEquals(hidden, output))
        {
            _waitingNorm = new WaitingNorm(hidden, weight, epsilon, output);
            return;
        }

        LaunchNorm(hidden, delta?.Address ?? 0, weight, epsilon, output);
    }

    /// <summary>Has the waiting product add to the residual stream, if it is the one that writes <paramref name="delta"/> and what computes it can.</summary>
    /// <param name="normed">What the caller overwrites next.</param>
    private bool AddWaiting(CudaTensor hidden, CudaTensor delta, CudaTensor normed)
    {
        // A product that reads the residual stream itself cannot add to it at the same time.
        if (!Writes(delta) || _waitingProduct.Shape.Outputs != hidden.Columns || _waitingProduct.Input == hidden.Address
            || !(_waitingKernel?.Supports(ProductEpilogue.Add, _waitingProduct.Shape) ?? _matmul.IsOfLibrary(_waitingProduct.Shape, _waitingProduct.Bias)))
        {
            return false;
        }

        DropOrLaunchNorm(normed);
        _productWaits = false;
        FusedProduct p = _waitingProduct with { Output = hidden.Address, After = ProductEpilogue.Add };
        if (_waitingKernel is { } kernel)
        {
            kernel.Run(p);
        }
        else
        {
            _matmul.RunAdding(p.Shape, p.Input, p.Weight, p.Bias, p.Output);
        }

        return true;
    }

    private void Multiply(int rows, CudaTensor? tensor, nint input, CudaLinearWeight weight, int outputType, nint output)
    {
        LaunchProduct();
        MatmulShape shape = new(rows, weight.Outputs, weight.Inputs, _elementType, outputType, weight.Bias != 0 && !weight.HoldsNorm);
        if (_lastWeight is { } last)
        {
            last.Next = weight;
        }

        _lastWeight = weight;
        _waitingProduct = new FusedProduct(shape, input, weight.Matrix, weight.Bias, output, Next: weight.Next);
        _waitingKernel = _matmul.Fused(shape, weight.Bias);
        _productWaits = true;
        _normedInput = input;
        bool normWaits = tensor is not null && ReferenceEquals(_waitingNorm.Output, tensor);
        if (normWaits && weight.HoldsNorm)
        {
            _waitingProduct = _waitingProduct with { Input = _waitingNorm.Hidden!.Address, Norm = InputNorm.Folded, Epsilon = _waitingNorm.Epsilon };
        }
        else if (normWaits && _waitingKernel is { TakesNorm: true } && _waitingNorm.Weight!.Offset == 0)
        {
            // The norm stays where it is: should something else read its output, it is launched after all.
            WaitingNorm norm = _waitingNorm;
            _waitingProduct = _waitingProduct with { Input = norm.Hidden!.Address, Norm = InputNorm.Weighted, NormWeight = norm.Weight!.Address, Epsilon = norm.Epsilon };
        }
        else
        {
            LaunchNormOf(tensor);
        }

        if (!Fuses)
        {
            LaunchProduct();
        }
    }

    /// <summary>Gives the waiting product its continuation, if it is the one that writes <paramref name="output"/> and its kernel can.</summary>
    private bool Continue(CudaTensor output, ProductEpilogue after, nint target, in RotaryTarget rotary)
    {
        if (!Writes(output) || !Fuses || _matmul.Followed(_waitingProduct.Shape, _waitingProduct.Bias, after) is not { } kernel)
        {
            return false;
        }

        _productWaits = false;
        _lastWeight!.Gated |= after == ProductEpilogue.SiluMul;
        FusedProduct p = _waitingProduct with { After = after, Output = target, Rotary = rotary };
        if (p.Norm == InputNorm.Folded && !kernel.TakesNorm)
        {
            LaunchNorm();
            p = p with { Input = _normedInput, Norm = InputNorm.None };
        }

        kernel.Run(p);
        return true;
    }

    /// <summary>Launches what writes this tensor.</summary>
    /// <returns>What a product by the library leaves to the kernel that reads it: nothing of a norm or a bias where the input is 0.</returns>
    private Unfinished LaunchUnfinished(CudaTensor output)
    {
        if (Writes(output) && IsUnfinished)
        {
            _productWaits = false;
            FusedProduct p = _waitingProduct;
            _matmul.Run(p.Shape, p.Input, p.Weight, 0, p.Output);
            return new Unfinished(p.Norm == InputNorm.Folded ? p.Input : 0, p.Shape.Inputs, p.Epsilon, p.Bias);
        }

        LaunchProduct();
        LaunchNormOf(output);
        return default;
    }

    /// <summary>The waiting product's kernel does not do all that is to be done.</summary>
    private bool IsUnfinished => _waitingKernel is not { TakesNorm: true } && (_waitingProduct.Norm == InputNorm.Folded || (_waitingProduct.Bias != 0 && !_waitingProduct.Shape.Bias));

    /// <summary>Whether there is a waiting product and this is its output.</summary>
    private bool Writes(CudaTensor tensor) => _productWaits && _waitingProduct.Output == tensor.Address && _waitingProduct.Shape.Outputs == tensor.Columns;

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
        _lastWeight = null;
    }

    private void LaunchProduct()
    {
        if (!_productWaits)
        {
            return;
        }

        _productWaits = false;
        if (_waitingKernel is { } kernel)
        {
            kernel.Run(_waitingProduct);
        }
        else if (IsUnfinished)
        {
            // Nobody can finish it: the norm is launched after all, and the library adds the bias.
            LaunchNorm();
            _matmul.Run(_waitingProduct.Shape with { Bias = _waitingProduct.Bias != 0 }, _normedInput, _waitingProduct.Weight, _waitingProduct.Bias, _waitingProduct.Output);
        }
        else
        {
            _matmul.Run(_waitingProduct.Shape, _waitingProduct.Input, _waitingProduct.Weight, _waitingProduct.Bias, _waitingProduct.Output);
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
        _norm.Launch(_device.Stream, _rows, 1, NormThreads(hidden.Columns), output.Address, hidden.Address, delta,
            weight.Folded ? 0 : weight.Address, hidden.Columns, epsilon, weight.Folded ? 1 : weight.Offset);
    }

    /// <summary>Two 16-byte pieces of a row per thread keep the most bytes in flight.</summary>
    private static int NormThreads(int columns) => Math.Clamp(((columns / 16) + 31) / 32 * 32, 32, 1024);
}
