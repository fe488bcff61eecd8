namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A product with what the kernel does in passing.</summary>
/// <param name="Shape">Sizes and types; <see cref="MatmulShape.Outputs"/> are rows of the weight.</param>
/// <param name="Input">[rows, inputs]; with a norm, the residual stream.</param>
/// <param name="Weight">[outputs, inputs].</param>
/// <param name="Bias">[outputs], or 0; whatever the shape says.</param>
/// <param name="Output">What <see cref="After"/> says.</param>
/// <param name="Norm">What becomes of the input.</param>
/// <param name="NormWeight">[inputs], for <see cref="InputNorm.Weighted"/>.</param>
/// <param name="Epsilon">Of the norm.</param>
/// <param name="After">What becomes of the sums.</param>
/// <param name="Rotary">Where keys and values go, for <see cref="ProductEpilogue.RotateAndStore"/>.</param>
/// <param name="Next">The weight of the product that probably comes next, or null.</param>
internal readonly record struct FusedProduct(
    MatmulShape Shape, nint Input, nint Weight, nint Bias, nint Output, InputNorm Norm = InputNorm.None, nint NormWeight = 0, float Epsilon = 0, ProductEpilogue After = ProductEpilogue.Store, RotaryTarget Rotary = default,
    CudaLinearWeight? Next = null);
