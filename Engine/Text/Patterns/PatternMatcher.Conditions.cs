using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <content>What holds at a position.</content>
internal ref partial struct PatternMatcher
{
    private readonly bool TakeRun(in PatternInstruction instruction, ref int position, out int least)
    {
        // Within a run that has been measured only the required beginning must be walked.
        var measured = _runs.Length > 0 && instruction.Max == int.MaxValue ? _runs[instruction.MemoIndex] : new RunMemo(-1, -1, 0, -1);
        var known = position >= measured.RunFrom && position <= measured.RunTo;
        var set = instruction.Set!;
        var start = position;
        least = position;
        var count = 0;
        var i = position;
        var max = known ? instruction.Min : instruction.Max;
        while (i < _text.Length && count < max)
        {
            var codePoint = CharProperties.CodePointAt(_text, i, out var units);
            if (!set.Contains(codePoint))
            {
                break;
            }

            i += units;
            if (++count == instruction.Min)
            {
                least = i;
            }

            if (i == measured.RunFrom && count >= instruction.Min)
            {
                i = measured.RunTo;
                break;
            }
        }

        position = known ? Math.Max(i, measured.RunTo) : i;
        if (!known && _runs.Length > 0 && instruction.Max == int.MaxValue)
        {
            _runs[instruction.MemoIndex] = measured with { RunFrom = start, RunTo = i };
        }

        return count >= instruction.Min;
    }

    private bool LookBehind(int pc, int position)
    {
        var instruction = _code[pc];
        var start = position;
        for (var width = 0; width <= instruction.Max; width++)
        {
            if (width >= instruction.Min && Run(pc + 1, start, RunMode.LookBehind, position) >= 0)
            {
                return true;
            }

            if (start == 0)
            {
                return false;
            }

            _ = CharProperties.CodePointBefore(_text, start, out var units);
            start -= units;
        }

        return false;
    }

    private readonly bool Holds(Anchor anchor, int position) => anchor switch
    {
        Anchor.LineStart => position == 0 || (_text[position - 1] == '\n' && position < _text.Length),
        Anchor.LineEnd => position == _text.Length || _text[position] == '\n',
        Anchor.TextStart => position == 0,
        Anchor.TextEnd => position == _text.Length,
        Anchor.TextEndOrLastNewLine => position == _text.Length || (position == _text.Length - 1 && _text[position] == '\n'),
        Anchor.WordBoundary => IsBoundary(position),
        Anchor.NotWordBoundary => !IsBoundary(position),
        _ => position == _searchStart,
    };

    private readonly bool IsBoundary(int position)
    {
        var before = position > 0 && CharProperties.IsWord(CharProperties.CodePointBefore(_text, position, out _));
        var after = position < _text.Length && CharProperties.IsWord(CharProperties.CodePointAt(_text, position, out _));
        return before != after;
    }
}
