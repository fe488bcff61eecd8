using System.Globalization;
using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine;

/// <content>Going on where another engine broke off.</content>
public sealed partial class LlmEngine
{
    /// <summary>Puts a request's choices into the state that they were in elsewhere.</summary>
    /// <param name="texts">Of the choices; null without a tokenizer.</param>
    private void Resume(EngineRequest request, ScheduledRequest scheduled, ChoiceText[]? texts)
    {
        IReadOnlyList<ResumedChoice> resumed = request.Resumed!;
        if (resumed.Count != request.N)
        {
            throw WrongResumption($"The request has {resumed.Count} resumed choices but generates {request.N}; give one for each.");
        }

        bool anyIsOpen = false;
        for (int choice = 0; choice < resumed.Count; choice++)
        {
            int[] tokens = [.. resumed[choice].TokenIds];
            if (tokens.Length > scheduled.MaxOutputTokens)
            {
                throw WrongResumption(string.Create(
                    CultureInfo.InvariantCulture,
                    $"Resumed choice {choice} has {tokens.Length:N0} tokens but may have {scheduled.MaxOutputTokens:N0}; raise MaxTokens, or MaxContextTokens where the model allows it."));
            }

            foreach (int token in tokens)
            {
                if ((uint)token >= (uint)_vocabularySize)
                {
                    throw WrongResumption($"Resumed choice {choice} has token {token} but the model's vocabulary has the ids 0 to {_vocabularySize - 1}; resume it with the same model.");
                }
            }

            anyIsOpen |= !resumed[choice].HasEnded;
            // Its text has been given out before; this brings the decoder and the search for stop strings to where they were.
            _ = texts?[choice].Append(tokens, isLast: false);
            scheduled.Resume(choice, tokens, resumed[choice].HasEnded, texts?[choice].HasStopped == true);
        }

        if (!anyIsOpen)
        {
            throw WrongResumption("All resumed choices have ended, so there is nothing to generate; leave the request out.");
        }
    }

    private static EngineRequestException WrongResumption(string message) => new(message) { Parameter = nameof(EngineRequest.Resumed) };
}
