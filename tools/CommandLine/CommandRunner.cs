using System.CommandLine;
using System.CommandLine.Invocation;

namespace Fastgen.Tools.CommandLine;

/// <summary>Parses and runs a tool's command line.</summary>
internal static class CommandRunner
{
    /// <summary>Runs the command; what the command line has wrong is one line each on standard error and exit code 1.</summary>
    /// <param name="throws">Leaves the command's exceptions to the caller instead of printing their stack trace.</param>
    public static Task<int> RunAsync(string tool, RootCommand command, string[] args, bool throws = false)
    {
        ParseResult parsed = command.Parse(args);
        if (parsed.Action is not ParseErrorAction)
        {
            // The tools end on Ctrl-C in their own way; the library would kill them after two seconds.
            return parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = !throws });
        }

        foreach (string message in parsed.Errors.Select(error => error.Message).Distinct())
        {
            TerminalOutput.WriteError(tool, message.TrimEnd());
        }

        Console.Error.WriteLine($"'{tool} --help' lists the options and has examples.");
        return Task.FromResult(1);
    }
}
