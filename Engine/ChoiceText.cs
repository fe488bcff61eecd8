using System.Text;
using Fastgen.Engine.Text;

namespace Fastgen.Engine;

/// <summary>Makes the text of one choice from its tokens: whole characters only, cut before a stop string.</summary>
/// <remarks>Not thread-safe: either the engine loop or the reader uses it.</remarks>
internal sealed class ChoiceText
{
    private readonly IncrementalDetokenizer _detokenizer;
    private readonly StopStringFilter? _stops;
    private readonly int[] _stopTokenIds;
    private readonly int _minTokens;
    private readonly StringBuilder _text = new();
    private int _tokens;

    /// <param name="promptTail">The last ids of a prompt whose text goes on; empty where the output is a text of its own.</param>
    /// <param name="stopStrings">May be empty.</param>
    /// <param name="stopTokenIds">Tokens that end the choice; their text is no part of it.</param>
    /// <param name="minTokens">So many tokens pass before stop strings are looked for.</param>
    public ChoiceText(Tokenizer tokenizer, bool skipSpecialTokens, ReadOnlySpan<int> promptTail, IReadOnlyList<string> stopStrings, int[] stopTokenIds, int minTokens)
    {
        _detokenizer = new IncrementalDetokenizer(tokenizer, skipSpecialTokens, promptTail);
        _stops = stopStrings.Count > 0 ? new StopStringFilter(stopStrings) : null;
        _stopTokenIds = stopTokenIds;
        _minTokens = minTokens;
    }

    /// <summary>The text holds a stop string and is cut before it.</summary>
    public bool HasStopped { get; private set; }

    /// <returns>True when the text holds a stop string.</returns>
    public bool Append(int tokenId)
    {
        _tokens++;
        if (!_stopTokenIds.AsSpan().Contains(tokenId))
        {
            Add(_detokenizer.Append(tokenId));
        }

        return HasStopped;
    }

    /// <summary>Adds tokens.</summary>
    /// <param name="isLast">No more will come.</param>
    /// <returns>The text that they make certain.</returns>
    public string Append(ReadOnlySpan<int> tokenIds, bool isLast)
    {
        foreach (int token in tokenIds)
        {
            Append(token);
        }

        return Take(isLast);
    }

    /// <summary>Takes the text that is certain; with <paramref name="isLast"/> all that is left.</summary>
    public string Take(bool isLast)
    {
        if (isLast && !HasStopped)
        {
            Add(_detokenizer.Flush());
            _text.Append(_stops?.Flush());
        }

        string text = _text.ToString();
        _text.Clear();
        return text;
    }

    private void Add(string text)
    {
        if (_stops is null || _tokens <= _minTokens)
        {
            _text.Append(text);
        }
        else if (text.Length > 0)
        {
            StopStringResult passed = _stops.Append(text);
            _text.Append(passed.Text);
            HasStopped = passed.Stopped;
        }
    }
}
