using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Fastgen.ServiceDefaults;

/// <summary>
/// Stops the service when the process named by <c>FASTGEN_PARENT_PID</c> is gone, however it went, so that a killed
/// AppHost leaves nothing behind. Where a graceful end takes longer than its time, the process exits.
/// </summary>
internal sealed partial class ParentProcessWatch(IConfiguration configuration, IHostApplicationLifetime lifetime, IOptions<HostOptions> host, ILogger<ParentProcessWatch> logger) : BackgroundService
{
    public const string Variable = "FASTGEN_PARENT_PID";
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string? text = configuration[Variable];
        if (string.IsNullOrEmpty(text))
        {
            return;
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) || pid == 0)
        {
            throw new InvalidOperationException($"{Variable} is '{text}', which is no process id; unset it to run without a parent.");
        }

        DateTime? born = StartTime(pid);
        using var timer = new PeriodicTimer(Interval);
        while (born is not null && StartTime(pid) == born)
        {
            await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false);
        }

        Gone(logger, pid);
        lifetime.StopApplication();
        _ = ExitWhenStuckAsync(host.Value.ShutdownTimeout + TimeSpan.FromSeconds(5));
    }

    /// <summary>When a living process began, which tells it from a later one of the same id; null when there is none.</summary>
    private static DateTime? StartTime(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return IsZombie(pid) ? null : process.StartTime;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>A dead process that nobody has waited for still has an id and a start time.</summary>
    private static bool IsZombie(int pid)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat.AsSpan(stat.LastIndexOf(')') + 2) is ['Z' or 'X', ..];
        }
        catch (IOException)
        {
            return true;
        }
    }

    private async Task ExitWhenStuckAsync(TimeSpan limit)
    {
        try
        {
            await Task.Delay(limit, lifetime.ApplicationStopped).ConfigureAwait(false);
            Environment.Exit(1);
        }
        catch (OperationCanceledException)
        {
            // The host has stopped, as it should.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The parent process {ParentPid} is gone; stopping.")]
    private static partial void Gone(ILogger logger, int parentPid);
}
