namespace Fastgen.Engine.Text;

/// <summary>Ends a stream of text at the first stop string, and holds back what may become one. For one sequence and one thread.</summary>
/// <remarks>The stop string that is complete first counts, of several that end together the longest; so the cut does not depend on how the text is chunked.</remarks>
public sealed class StopStringFilter
{
    private readonly string[] _stopStrings;
    private readonly bool _includeStopInOutput;
    private string _held = "";

    /// <param name="stopStrings">May be empty: then all text passes at once.</param>
    /// <param name="includeStopInOutput">Whether the stop string itself is emitted.</param>
    /// <exception cref="ArgumentException">A stop string is empty.</exception>
    public StopStringFilter(IReadOnlyList<string> stopStrings, bool includeStopInOutput = false)
    {
        ArgumentNullException.ThrowIfNull(stopStrings);
        if (stopStrings.Any(string.IsNullOrEmpty))
        {
            throw new ArgumentException("A stop string is empty, which would stop before any text; leave it out.", nameof(stopStrings));
        }

        _stopStrings = [.. stopStrings];
        _includeStopInOutput = includeStopInOutput;
    }

    /// <summary>The stop string that ended the text, or null.</summary>
    public string? MatchedStop { get; private set; }

    /// <summary>Takes text; returns what may be emitted. After a stop nothing comes any more.</summary>
    public StopStringResult Append(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (MatchedStop is not null)
        {
            return new StopStringResult("", true);
        }

        text = _held + text;
        var firstEnd = int.MaxValue;
        foreach (var stop in _stopStrings)
        {
            var end = text.IndexOf(stop, StringComparison.Ordinal) is var start and >= 0 ? start + stop.Length : int.MaxValue;
            if (end < firstEnd || (end == firstEnd && stop.Length > MatchedStop?.Length))
            {
                (firstEnd, MatchedStop) = (end, stop);
            }
        }

        if (MatchedStop is not null)
        {
            _held = "";
            return new StopStringResult(text[..(_includeStopInOutput ? firstEnd : firstEnd - MatchedStop.Length)], true);
        }

        var keep = _stopStrings.Length == 0 ? 0 : _stopStrings.Max(stop => OverlapLength(text, stop));
        _held = text[(text.Length - keep)..];
        return new StopStringResult(text[..(text.Length - keep)], false);
    }

    /// <summary>Ends the text; returns what was held back.</summary>
    public string Flush()
    {
        var rest = _held;
        _held = "";
        return rest;
    }

    // How much of the end of the text is a beginning of the stop string, but not all of it.
    private static int OverlapLength(string text, string stop)
    {
        var length = Math.Min(text.Length, stop.Length - 1);
        while (length > 0 && !stop.AsSpan().StartsWith(text.AsSpan(text.Length - length), StringComparison.Ordinal))
        {
            length--;
        }

        return length;
    }
}
