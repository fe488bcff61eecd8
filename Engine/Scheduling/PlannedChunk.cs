namespace Fastgen.Engine.Scheduling;

/// <summary>Consecutive tokens of one sequence that a step computes.</summary>
/// <param name="Sequence">Whose tokens.</param>
/// <param name="Start">Position of the first.</param>
/// <param name="Count">How many.</param>
/// <param name="PreviousRow">Set when the last of them is still unknown: the row of the step before that chooses it.</param>
internal readonly record struct PlannedChunk(Sequence Sequence, int Start, int Count, int? PreviousRow);
