namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>A tensor that the model's config calls for.</summary>
/// <param name="Name">Name in the checkpoint.</param>
/// <param name="Rows">First dimension; 1 for a vector.</param>
/// <param name="Columns">Second dimension.</param>
internal readonly record struct ExpectedTensor(string Name, int Rows, int Columns)
{
    /// <summary>Matrices of equal shape in one tensor of three dimensions, <see cref="Rows"/> those of all; 0 for a plain matrix.</summary>
    public int Stack { get; init; }

    public string Shape => Stack > 0 ? $"[{Stack}, {Rows / Stack}, {Columns}]" : Rows == 1 ? $"[{Columns}]" : $"[{Rows}, {Columns}]";
}
