namespace Fastgen.Engine.Scheduling;

/// <summary>A token to be chosen from the logits after a chunk's last token.</summary>
/// <param name="Sequence">Whose token; not the chunk's own sequence where choices share a prompt.</param>
/// <param name="Chunk">Index of the chunk in the plan.</param>
/// <param name="OutputPosition">Tokens generated before this one.</param>
/// <param name="SlotIsNew">First row since the sequence got its slot.</param>
internal readonly record struct PlannedRow(Sequence Sequence, int Chunk, int OutputPosition, bool SlotIsNew);
