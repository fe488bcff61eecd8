using Fastgen.Engine;

namespace Fastgen.Tools.FgChat;

/// <summary>What was said so far: rounds of one question and one answer, after an optional system message.</summary>
internal sealed class Conversation(string? system)
{
    private readonly List<(string Question, string Answer)> _rounds = [];

    /// <summary>The round that comes next, counted from 1.</summary>
    public int NextRound => _rounds.Count + 1;

    public void Add(string question, string answer) => _rounds.Add((question, answer));

    /// <summary>Forgets the given round and all after it.</summary>
    /// <returns>False when there is no such round.</returns>
    public bool TryReset(int round)
    {
        if (round < 1 || round > NextRound)
        {
            return false;
        }

        _rounds.RemoveRange(round - 1, _rounds.Count - round + 1);
        return true;
    }

    /// <summary>The conversation with one more question, for the model to answer.</summary>
    public EngineRequest Ask(string question)
    {
        var messages = new List<(string Role, string Content)>();
        if (!string.IsNullOrEmpty(system))
        {
            messages.Add(("system", system));
        }

        foreach ((string asked, string answered) in _rounds)
        {
            messages.Add(("user", asked));
            messages.Add(("assistant", answered));
        }

        messages.Add(("user", question));
        return EngineRequest.Chat([.. messages]);
    }
}
