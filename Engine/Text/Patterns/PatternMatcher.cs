using System.Buffers;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <summary>One run of a compiled pattern over one text: backtracking that remembers failures once a text proves hard.</summary>
/// <remarks>
/// There are no captures and no back references, so whether an instruction can succeed at a position depends on the two alone.
/// Remembering that makes the work proportional to instructions times characters, whatever the pattern.
/// </remarks>
internal ref partial struct PatternMatcher
{
    private const byte Failed = 1, Succeeded = 2, Open = 3, Again = 4;
    private readonly PatternInstruction[] _code;
    private readonly ReadOnlySpan<char> _text;
    private readonly int _memoCount;
    private readonly bool _mayMemo;
    private readonly long _memoAfterSteps;
    private readonly long _maxSteps;
    private Frame[] _stack;
    private int _depth;
    private byte[]? _memo;
    private List<long>? _trail;
    private RunMemo[] _runs = [];
    private long _steps;
    private int _searchStart;

    public PatternMatcher(PatternInstruction[] code, PatternCompiler facts, ReadOnlySpan<char> text)
    {
        _code = code;
        _text = text;
        _memoCount = facts.MemoCount;
        _mayMemo = !facts.DependsOnStart && _memoCount > 0;
        _memoAfterSteps = facts.HasEmptyLoop ? 0 : (16L * text.Length) + 1000;
        _maxSteps = (4000L * text.Length) + 50_000_000;
        _stack = ArrayPool<Frame>.Shared.Rent(64);
    }

    /// <summary>The end of the match that begins at <paramref name="start"/> of a search from <paramref name="from"/>, or -1.</summary>
    /// <exception cref="TokenizerFormatException">More steps than any sane pattern needs.</exception>
    public int MatchAt(int start, int from)
    {
        _searchStart = from;
        return Run(0, start, RunMode.Find);
    }

    /// <summary>Gives back what was borrowed.</summary>
    public void Dispose()
    {
        ArrayPool<Frame>.Shared.Return(_stack);
        if (_memo is not null)
        {
            ArrayPool<byte>.Shared.Return(_memo);
        }

        this = default;
    }

    private int Run(int pc, int position, RunMode mode, int requiredEnd = -1)
    {
        var bottom = _depth;
        var trailStart = _trail?.Count ?? 0;
        while (true)
        {
            if (++_steps > _memoAfterSteps)
            {
                SlowDown();
            }

            ref readonly var instruction = ref _code[pc];
            var ok = true;
            switch (instruction.Operation)
            {
                case PatternOperation.Set:
                    ok = position < _text.Length;
                    if (ok)
                    {
                        ok = instruction.Set!.Contains(CharProperties.CodePointAt(_text, position, out var units));
                        position += units;
                        pc++;
                    }

                    break;
                case PatternOperation.SetRun:
                    ok = TakeRun(in instruction, ref position, out var least);
                    if (ok && !instruction.Possessive)
                    {
                        if (position > least)
                        {
                            Push(new Frame(pc, position, least));
                        }

                        var known = Enter(instruction.MemoIndex, position, mode);
                        if (known == Succeeded)
                        {
                            return Succeed(bottom, trailStart, position, mode);
                        }

                        ok = known != Failed;
                    }

                    pc++;
                    break;
                case PatternOperation.Split:
                    var state = Enter(instruction.MemoIndex, position, mode);
                    if (state == Succeeded)
                    {
                        return Succeed(bottom, trailStart, position, mode);
                    }

                    // The body of a loop has matched nothing: a greedy loop ends; a lazy one, whose exit comes first, has tried that.
                    ok = state != Failed && !(state == Again && instruction.Target > instruction.Other);
                    if (ok && state == Again)
                    {
                        pc = instruction.Other;
                    }
                    else if (ok)
                    {
                        Push(new Frame(instruction.Other, position, -1));
                        pc = instruction.Target;
                    }

                    break;
                case PatternOperation.Jump:
                    pc = instruction.Target;
                    break;
                case PatternOperation.Assertion:
                    ok = Holds(instruction.Anchor, position);
                    pc++;
                    break;
                case PatternOperation.Atomic:
                    position = Run(pc + 1, position, RunMode.Find);
                    ok = position >= 0;
                    pc = instruction.Target;
                    break;
                case PatternOperation.LookAhead:
                    ok = (Run(pc + 1, position, RunMode.LookAhead) >= 0) != instruction.Negative;
                    pc = instruction.Target;
                    break;
                case PatternOperation.LookBehind:
                    ok = LookBehind(pc, position) != instruction.Negative;
                    pc = instruction.Target;
                    break;
                default:
                    if (mode != RunMode.LookBehind || position == requiredEnd)
                    {
                        return Succeed(bottom, trailStart, position, mode);
                    }

                    ok = false;
                    break;
            }

            if (!ok)
            {
                switch (Backtrack(bottom, trailStart, mode, ref pc, ref position))
                {
                    case Failed:
                        return -1;
                    case Succeeded:
                        return Succeed(bottom, trailStart, position, mode);
                    default:
                        break;
                }
            }
        }
    }

    // Goes to the newest open choice of this run.
    private byte Backtrack(int bottom, int trailStart, RunMode mode, ref int pc, ref int position)
    {
        while (_depth > bottom)
        {
            ref var frame = ref _stack[_depth - 1];
            CloseTrail(Math.Max(frame.Trail, trailStart), Failed);
            pc = frame.Pc;
            position = frame.Position;
            if (frame.Least < 0)
            {
                _depth--;
                return Open;
            }

            // A run gives back one code point and goes on behind itself; what is known to fail is passed over at once.
            _steps++;
            position = _memo is null || mode == RunMode.LookBehind ? position : PassFailed(_code[pc].MemoIndex, position);
            if (position <= frame.Least)
            {
                _depth--;
                continue;
            }

            _ = CharProperties.CodePointBefore(_text, position, out var units);
            position -= units;
            frame = frame with { Position = position };
            if (position <= frame.Least)
            {
                _depth--;
            }

            var known = Enter(_code[pc].MemoIndex, position, mode);
            if (known != Failed)
            {
                pc++;
                return known;
            }
        }

        CloseTrail(trailStart, Failed);
        return Failed;
    }

    private void Push(Frame frame)
    {
        if (_depth == _stack.Length)
        {
            var larger = ArrayPool<Frame>.Shared.Rent(_stack.Length * 2);
            _stack.AsSpan(0, _depth).CopyTo(larger);
            ArrayPool<Frame>.Shared.Return(_stack);
            _stack = larger;
        }

        _stack[_depth++] = frame with { Trail = _trail?.Count ?? 0 };
    }

    private enum RunMode : byte
    {
        Find,
        LookAhead,
        LookBehind,
    }

    /// <summary>What is known of a run: between which positions going on behind it fails, and the last stretch that was measured.</summary>
    private readonly record struct RunMemo(int FailedFrom, int FailedTo, int RunFrom, int RunTo);

    private readonly record struct Frame(int Pc, int Position, int Least, int Trail = 0);
}
