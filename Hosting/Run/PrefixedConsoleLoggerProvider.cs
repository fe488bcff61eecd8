using Microsoft.Extensions.Logging;

namespace Fastgen.Hosting.Run;

/// <summary>Writes what the resources and the host say, each line behind the name of who says it.</summary>
internal sealed class PrefixedConsoleLoggerProvider : ILoggerProvider
{
    /// <summary>Category of the host's own messages.</summary>
    public const string HostCategory = "Aspire.Hosting";

    /// <summary>Start of the category of a resource's output; its name follows.</summary>
    public const string ResourceCategory = "Aspire.Hosting.Resources.";

    // Cyan, green, magenta, yellow, blue: red and white are left to errors and to the host.
    private static readonly int[] Colors = [36, 32, 35, 33, 34];

    private readonly TextWriter _writer;
    private readonly bool _showsColors;
    private readonly int _width;

    public PrefixedConsoleLoggerProvider(TextWriter writer, bool showsColors, IEnumerable<string> names)
    {
        _writer = writer;
        _showsColors = showsColors;
        _width = names.Append("host").Max(name => name.Length);
    }

    public ILogger CreateLogger(string categoryName)
        => categoryName.StartsWith(ResourceCategory, StringComparison.Ordinal)
            ? new Prefixed(this, categoryName[ResourceCategory.Length..], isHost: false)
            : new Prefixed(this, "host", isHost: true);

    public void Dispose()
    {
    }

    private sealed class Prefixed : ILogger
    {
        private readonly PrefixedConsoleLoggerProvider _owner;
        private readonly bool _isHost;
        private readonly string _name;
        private readonly int _color;

        public Prefixed(PrefixedConsoleLoggerProvider owner, string name, bool isHost)
        {
            _owner = owner;
            _isHost = isHost;
            _name = name.PadRight(owner._width);
            // Stable from run to run, which string.GetHashCode is not.
            _color = isHost ? 37 : Colors[name.Sum(c => c) % Colors.Length];
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var text = formatter(state, exception);
            if (_isHost)
            {
                var level = logLevel switch { >= LogLevel.Error => "error: ", LogLevel.Warning => "warning: ", _ => "" };
                text = level + text + (exception is null ? "" : Environment.NewLine + exception);
            }

            var color = _isHost && logLevel >= LogLevel.Warning ? 31 : _color;
            try
            {
                foreach (var line in text.Split('\n'))
                {
                    // One call a line: Console.Out is synchronised, so lines of different resources never mix.
                    _owner._writer.WriteLine(_owner._showsColors ? $"\e[{color}m{_name} |\e[0m {line}\e[0m" : $"{_name} | {line}");
                }
            }
            catch (IOException)
            {
                // The terminal is gone and nobody reads; stopping the resources must not fail for that.
            }
        }
    }
}
