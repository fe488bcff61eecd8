using Microsoft.Extensions.Configuration;

namespace Fastgen.Hosting.Run;

/// <summary>How resources are run; section <c>Hosting</c> of the app host's configuration.</summary>
/// <param name="RestartDelay">Wait before the first restart of a process that died; doubled for each further one.</param>
/// <param name="RestartDelayMax">Longest wait before a restart.</param>
/// <param name="StopGrace">Time from SIGTERM to SIGKILL.</param>
/// <param name="RandomPorts">Every endpoint gets a free port, also one with a fixed port; Aspire's key for it is kept.</param>
internal sealed record RunOptions(TimeSpan RestartDelay, TimeSpan RestartDelayMax, TimeSpan StopGrace, bool RandomPorts)
{
    public const string RandomPortsKey = "DcpPublisher:RandomizePorts";

    /// <summary>Colours are for people: a terminal on both sides, and no <c>NO_COLOR</c> (https://no-color.org).</summary>
    public static bool ShowsColors => !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    public static RunOptions From(IConfiguration configuration)
    {
        TimeSpan Milliseconds(string key, int defaultMs) => TimeSpan.FromMilliseconds(configuration.GetValue("Hosting:" + key, defaultMs));
        return new RunOptions(
            Milliseconds("RestartDelayMs", 500),
            Milliseconds("RestartDelayMaxMs", 30_000),
            Milliseconds("StopGraceMs", 10_000),
            configuration.GetValue(RandomPortsKey, false));
    }

    /// <summary>Wait before a restart after <paramref name="failures"/> deaths in a row, counted from 1.</summary>
    public TimeSpan DelayAfter(int failures)
        => TimeSpan.FromTicks((long)Math.Min(RestartDelayMax.Ticks, RestartDelay.Ticks * Math.Pow(2, failures - 1)));
}
