namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Stored type and dimensions of a tensor.</summary>
/// <param name="TypeCode">dtype as the file names it.</param>
/// <param name="Dimensions">Outermost first.</param>
internal readonly record struct TensorShape(string TypeCode, IReadOnlyList<long> Dimensions)
{
    /// <summary>The element type, or null where the model code cannot use it.</summary>
    public ElementType? Type => TypeCode switch
    {
        "F32" => ElementType.Fp32,
        "F16" => ElementType.Fp16,
        "BF16" => ElementType.Bf16,
        _ => null,
    };

    public bool Is(ExpectedTensor tensor) => tensor.Stack > 0
        ? Dimensions.Count == 3 && Dimensions[0] == tensor.Stack && Dimensions[1] == tensor.Rows / tensor.Stack && Dimensions[2] == tensor.Columns
        : Is(tensor.Rows, tensor.Columns);

    public bool Is(int rows, int columns) =>
        Dimensions.Count == 2 ? Dimensions[0] == rows && Dimensions[1] == columns : rows == 1 && Dimensions.Count == 1 && Dimensions[0] == columns;

    public override string ToString() => $"{TypeCode} [{string.Join(", ", Dimensions)}]";
}
