using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Fastgen.Services.Tests.Hosting;

/// <summary>Keeps what resources and host say, in the order in which they said it.</summary>
internal sealed class CapturedLog : ILoggerProvider
{
    private readonly ConcurrentQueue<Line> _lines = new();

    internal sealed record Line(string Source, string Text, TimeSpan At);

    public IReadOnlyList<Line> Lines => [.. _lines];

    public IReadOnlyList<Line> Of(string source) => [.. _lines.Where(line => line.Source == source)];

    public async Task<Line> WaitForAsync(string source, string text, int count = 1)
    {
        var limit = Stopwatch.StartNew();
        while (limit.Elapsed < Eventually.Limit)
        {
            var found = Of(source).Where(line => line.Text.Contains(text, StringComparison.Ordinal)).ToArray();
            if (found.Length >= count)
            {
                return found[count - 1];
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"'{text}' of {source} was not seen {count} times within {Eventually.Limit.TotalSeconds} s; seen:\n{string.Join('\n', _lines)}");
    }

    public ILogger CreateLogger(string categoryName) => new Source(this, categoryName switch
    {
        "Aspire.Hosting" => "host",
        _ when categoryName.StartsWith("Aspire.Hosting.Resources.", StringComparison.Ordinal) => categoryName["Aspire.Hosting.Resources.".Length..],
        _ => categoryName,
    });

    public void Dispose()
    {
    }

    private sealed class Source(CapturedLog owner, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => owner._lines.Enqueue(new Line(name, formatter(state, exception), Stopwatch.GetElapsedTime(0)));
    }
}
