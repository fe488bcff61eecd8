using System.Runtime.InteropServices;

namespace Fastgen.Tools.FgServe;

/// <summary>The first Ctrl-C lets running requests finish, the second one ends the process.</summary>
internal sealed class DrainOnInterrupt : IDisposable
{
    private const int InterruptedExitCode = 130;

    private readonly PosixSignalRegistration _interrupt;
    private int _interrupts;

    /// <param name="lifetime">Of the server; its host starts the shutdown on the same signal.</param>
    /// <param name="countRequests">Choices that are being generated or wait.</param>
    public DrainOnInterrupt(IHostApplicationLifetime lifetime, Func<int> countRequests)
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            if (Interlocked.Increment(ref _interrupts) > 1)
            {
                Environment.Exit(InterruptedExitCode);
            }

            lifetime.StopApplication();
        });
        lifetime.ApplicationStopping.Register(() =>
        {
            int requests = countRequests();
            Console.Error.WriteLine(requests == 0
                ? "Stopping."
                : $"Stopping after {requests} running or waiting choices are done; press Ctrl-C again to stop now.");
        });
    }

    public void Dispose() => _interrupt.Dispose();
}
