using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Fastgen.Hosting.Run;

/// <summary>Keeps one process of a resource alive until the resource is stopped.</summary>
/// <param name="label">Name for the log: the resource's, with the replica's number where there are several.</param>
/// <param name="mayFinish">Whether exit code 0 is a good end instead of a death.</param>
internal sealed class ReplicaSupervisor(
    string label, Func<CancellationToken, ValueTask<Launch>> launch, bool mayFinish, RunOptions options, ProcessGuard guard, ILogger output, ILogger log)
{
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the process has been started for the first time.</summary>
    public Task Started => _started.Task;

    /// <summary>Starts the process, and again whenever it dies; returns when it finished or was stopped.</summary>
    /// <param name="stopping">Ends the supervision; the process is asked to end.</param>
    /// <param name="force">The process is killed instead.</param>
    public async Task RunAsync(CancellationToken stopping, CancellationToken force)
    {
        var failures = 0;
        while (!stopping.IsCancellationRequested)
        {
            string end;
            var alive = Stopwatch.StartNew();
            try
            {
                using var child = ChildProcess.Start(await launch(stopping), guard, line => output.LogInformation("{Line}", line));
                _started.TrySetResult();
                await Task.WhenAny(child.Exited, Task.Delay(Timeout.Infinite, stopping));
                if (!child.Exited.IsCompleted)
                {
                    await StopAsync(child, force);
                    return;
                }

                var exitCode = await child.Exited;
                if (stopping.IsCancellationRequested || (mayFinish && exitCode == 0))
                {
                    return;
                }

                end = $"exited with code {exitCode} after {alive.Elapsed.TotalSeconds:0.0} s";
            }
            catch (Exception e) when (e is Win32Exception or IOException && _started.Task.IsCompleted)
            {
                // It was there at the first start: disk full, or its file is just being replaced. Worth another try.
                end = "could not be started: " + e.Message;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }

            failures = alive.Elapsed >= options.RestartDelayMax ? 1 : failures + 1;
            var delay = options.DelayAfter(failures);
            log.LogWarning("{Label} {End}; restart {Failures} in {Delay:0.0} s", label, end, failures, delay.TotalSeconds);
            await Task.Delay(delay, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task StopAsync(ChildProcess child, CancellationToken force)
    {
        if (!await child.StopAsync(options.StopGrace, force))
        {
            log.LogWarning(
                "{Label} was killed, {Why}", label, force.IsCancellationRequested ? "as asked" : $"since it did not end within {options.StopGrace.TotalSeconds:0.0} s of SIGTERM");
        }
    }
}
