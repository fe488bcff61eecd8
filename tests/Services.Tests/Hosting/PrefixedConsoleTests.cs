using Fastgen.Hosting.Run;
using Microsoft.Extensions.Logging;

namespace Fastgen.Services.Tests.Hosting;

public sealed class PrefixedConsoleTests
{
    [Fact]
    public void Each_line_stands_behind_the_name_of_who_says_it()
    {
        using var writer = new StringWriter();
        using var console = new PrefixedConsoleLoggerProvider(writer, showsColors: false, ["redis", "worker-1"]);
        console.CreateLogger(PrefixedConsoleLoggerProvider.ResourceCategory + "worker-1").LogInformation("{Line}", "one {brace}\ntwo");
        console.CreateLogger(PrefixedConsoleLoggerProvider.HostCategory).LogWarning("{What} died", "redis");
        Assert.Equal(["worker-1 | one {brace}", "worker-1 | two", "host     | warning: redis died"], writer.ToString().Split(Environment.NewLine)[..^1]);
    }

    [Fact]
    public void Colors_are_for_terminals()
    {
        using var writer = new StringWriter();
        using var console = new PrefixedConsoleLoggerProvider(writer, showsColors: true, ["redis"]);
        console.CreateLogger(PrefixedConsoleLoggerProvider.ResourceCategory + "redis").LogInformation("ready");
        Assert.Matches("^\\e\\[3[2-6]mredis \\|\\e\\[0m ready\\e\\[0m", writer.ToString());
    }
}
