using System.Runtime.InteropServices;

namespace Fastgen.Tools.FgChat;

/// <summary>Ctrl-C in a terminal: interrupts an answer; twice in a row it quits.</summary>
internal sealed class Interrupts : IDisposable
{
    private const int InterruptedExitCode = 130;

    private readonly Lock _lock = new();
    private readonly PosixSignalRegistration? _registration;
    private readonly Action _remind;
    private CancellationTokenSource? _answer;
    private bool _pressed;

    /// <param name="enabled">False leaves Ctrl-C to the system, as a script expects it.</param>
    /// <param name="remind">Tells at the prompt how to quit.</param>
    public Interrupts(bool enabled, Action remind)
    {
        _remind = remind;
        _registration = enabled ? PosixSignalRegistration.Create(PosixSignal.SIGINT, OnInterrupt) : null;
    }

    /// <summary>An answer begins; the token is cancelled by Ctrl-C.</summary>
    public CancellationToken BeginAnswer()
    {
        lock (_lock)
        {
            _pressed = false;
            _answer = new CancellationTokenSource();
            return _answer.Token;
        }
    }

    public void EndAnswer()
    {
        lock (_lock)
        {
            _pressed = false;
            _answer?.Dispose();
            _answer = null;
        }
    }

    /// <summary>A line was typed, so the next Ctrl-C is the first again.</summary>
    public void LineRead()
    {
        lock (_lock)
        {
            _pressed = false;
        }
    }

    public void Dispose() => _registration?.Dispose();

    private void OnInterrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        lock (_lock)
        {
            if (_pressed)
            {
                Console.Out.WriteLine();
                Environment.Exit(InterruptedExitCode);
            }

            _pressed = true;
            if (_answer is null)
            {
                _remind();
            }
            else
            {
                _answer.Cancel();
            }
        }
    }
}
