using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Text.Templates;

/// <summary>Counts what a rendering uses and stops it at its <see cref="RenderLimits"/>.</summary>
/// <remarks>
/// Ambient for the thread: comparison and hashing of values run inside dictionaries, whose comparers
/// have no place for a parameter, and an unbounded comparison is as good an attack as an unbounded loop.
/// </remarks>
internal sealed class RenderBudget(RenderLimits limits)
{
    private const int StepsBetweenClockReads = 4096;

    [ThreadStatic]
    private static RenderBudget? _current;

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _steps;
    private long _nextClockRead = StepsBetweenClockReads;
    private long _chars;
    private int _depth;

    public RenderLimits Limits { get; } = limits;

    public static RenderBudget Current => _current ?? throw new InvalidOperationException("No template is being rendered on this thread.");

    public static RenderBudget? Swap(RenderBudget? budget)
    {
        RenderBudget? previous = _current;
        _current = budget;
        return previous;
    }

    public void Step(long count = 1)
    {
        _steps += count;
        if (_steps >= _nextClockRead)
        {
            CheckSlow();
        }
    }

    public void Chars(long count)
    {
        if (count > Limits.MaxTextChars)
        {
            throw new TemplateError(ErrorKind.Limit, $"A string of {count:N0} characters exceeds the limit of {Limits.MaxTextChars:N0}; the template multiplies or repeats too much text.");
        }

        _chars += count;
        if (_chars > Limits.MaxTotalChars)
        {
            throw new TemplateError(ErrorKind.Limit, $"The template produced more than {Limits.MaxTotalChars:N0} characters of intermediate text.");
        }
    }

    /// <summary>Call before descending one level; pair with <see cref="Leave"/>.</summary>
    public void Enter()
    {
        if (++_depth > Limits.MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new TemplateError(ErrorKind.Limit, $"The template nests deeper than {Limits.MaxDepth} levels or than the stack allows; a macro or recursive loop may be calling itself without end.");
        }
    }

    public void Leave() => _depth--;

    private void CheckSlow()
    {
        _nextClockRead = _steps + StepsBetweenClockReads;
        if (_steps > Limits.MaxSteps)
        {
            throw new TemplateError(ErrorKind.Limit, $"The template needed more than {Limits.MaxSteps:N0} steps; shorten the conversation or simplify the template.");
        }

        if (Stopwatch.GetElapsedTime(_start) > Limits.MaxTime)
        {
            throw new TemplateError(ErrorKind.Limit, $"The template ran longer than {Limits.MaxTime.TotalSeconds:0.##} s; shorten the conversation or simplify the template.");
        }
    }
}
