using System.Buffers;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <content>What is known of instructions at positions, once a text proves hard.</content>
internal ref partial struct PatternMatcher
{
    // What is known of going on from here; a state that is met again while still open has gone round without progress.
    private byte Enter(int memoIndex, int position, RunMode mode)
    {
        if (_memo is null || mode == RunMode.LookBehind)
        {
            return Open;
        }

        var key = ((long)memoIndex * (_text.Length + 1)) + position;
        switch (_memo[key])
        {
            case 0:
                _memo[key] = Open;
                _trail!.Add(key);
                return Open;
            case Open:
                return Again;
            case var known:
                return known;
        }
    }

    // Notes that going on behind a run from here has failed, and returns the lowest position known to fail without a gap.
    private readonly int PassFailed(int memoIndex, int position)
    {
        ref var run = ref _runs[memoIndex];
        if (position >= run.FailedFrom && position <= run.FailedTo)
        {
            return run.FailedFrom;
        }

        var units = 0;
        if (position < _text.Length)
        {
            _ = CharProperties.CodePointAt(_text, position, out units);
        }

        run = position + units == run.FailedFrom && units > 0
            ? run with { FailedFrom = position }
            : run with { FailedFrom = position, FailedTo = position };
        return position;
    }

    private int Succeed(int bottom, int trailStart, int position, RunMode mode)
    {
        _depth = bottom;
        // A lookahead asks only whether; elsewhere the end counts too, so the path is forgotten.
        CloseTrail(trailStart, mode == RunMode.LookAhead ? Succeeded : (byte)0);
        return position;
    }

    private void SlowDown()
    {
        if (_steps > _maxSteps)
        {
            throw new TokenizerFormatException($"A regular expression of the tokenizer needed more than {_maxSteps} steps on {_text.Length} characters; simplify the pattern or shorten the text.");
        }

        if (_memo is null)
        {
            StartMemo();
        }
    }

    private void CloseTrail(int from, byte outcome)
    {
        if (_trail is null || _trail.Count <= from)
        {
            return;
        }

        for (var i = from; i < _trail.Count; i++)
        {
            _memo![_trail[i]] = outcome;
        }

        _trail.RemoveRange(from, _trail.Count - from);
    }

    private void StartMemo()
    {
        var size = (long)_memoCount * (_text.Length + 1);
        if (!_mayMemo || size > Array.MaxLength)
        {
            return;
        }

        _memo = ArrayPool<byte>.Shared.Rent((int)size);
        _memo.AsSpan(0, (int)size).Clear();
        _trail = [];
        _runs = new RunMemo[_memoCount];
        Array.Fill(_runs, new RunMemo(-1, -1, 0, -1));
    }
}
