using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine;

/// <summary>A request on its way through the engine, as its reader holds it.</summary>
/// <param name="readerTexts">One per choice where the reader makes the text; null where the loop does, or nobody.</param>
/// <param name="openChoices">Choices whose end is still to come.</param>
internal sealed class PreparedRequest(ScheduledRequest scheduled, RequestOutput output, ChoiceText[]? readerTexts, int openChoices)
{
    // Those of a resumed choice count as well.
    private readonly int[] _completionTokens = Array.ConvertAll(scheduled.Sequences, static sequence => sequence.OutputTokens);

    public int OpenChoices { get; } = openChoices;

    public ScheduledRequest Scheduled { get; } = scheduled;

    public RequestOutput Output { get; } = output;

    /// <summary>What is new of a choice, with its counts; null when nothing is.</summary>
    public EngineDelta? Take(int choice) =>
        Output.Take(choice, readerTexts?[choice], Scheduled, ref _completionTokens[choice]);
}
