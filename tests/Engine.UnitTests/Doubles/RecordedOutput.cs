using Fastgen.Engine.Batching;
using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine.UnitTests.Doubles;

/// <summary>Keeps what the scheduler says of a request, and checks that nothing comes after an end.</summary>
internal sealed class RecordedOutput : IRequestOutput
{
    public RecordedOutput(int choices)
    {
        Tokens = new List<int>[choices];
        Reasons = new EngineFinishReason?[choices];
        Errors = new string?[choices];
        for (int i = 0; i < choices; i++)
        {
            Tokens[i] = [];
        }
    }

    public List<int>[] Tokens { get; }

    public EngineFinishReason?[] Reasons { get; }

    public string?[] Errors { get; }

    /// <summary>The reader has been told of everything.</summary>
    public bool IsAnnounced { get; private set; } = true;

    public bool HasEnded => Reasons.All(reason => reason is not null);

    /// <summary>Stands for a stop string: ends a choice at this many tokens.</summary>
    public int? StopAfter { get; init; }

    public bool AddToken(int choice, int tokenId, StepOutput output, int row)
    {
        Assert.Null(Reasons[choice]);
        Tokens[choice].Add(tokenId);
        IsAnnounced = false;
        return Tokens[choice].Count == StopAfter;
    }

    public void End(int choice, EngineFinishReason reason, string? error)
    {
        Assert.Null(Reasons[choice]);
        Reasons[choice] = reason;
        Errors[choice] = error;
        IsAnnounced = false;
    }

    public void Announce() => IsAnnounced = true;
}
