namespace Fastgen.Engine.Backends.Cuda;

/// <summary>What distinguishes one matrix product from another: output[rows, outputs] = input[rows, inputs] × weight[outputs, inputs]ᵀ.</summary>
/// <param name="Rows">Tokens.</param>
/// <param name="Outputs">Rows of the weight.</param>
/// <param name="Inputs">Columns of the weight.</param>
/// <param name="ElementType">cuBLAS type of input and weight.</param>
/// <param name="OutputType">cuBLAS type of the output.</param>
/// <param name="Bias">A bias of the element type is added.</param>
internal readonly record struct MatmulShape(int Rows, int Outputs, int Inputs, int ElementType, int OutputType, bool Bias);
