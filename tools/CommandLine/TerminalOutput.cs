namespace Fastgen.Tools.CommandLine;

/// <summary>What the terminal can show: colours and cursor movement only where someone sees them.</summary>
internal static class TerminalOutput
{
    private static readonly bool IsDumb = Environment.GetEnvironmentVariable("TERM") is "dumb" or "" or null && !OperatingSystem.IsWindows();

    /// <summary>Standard output is a terminal that understands control codes.</summary>
    public static bool OutIsTerminal { get; } = !Console.IsOutputRedirected && !IsDumb;

    /// <summary>Standard error is a terminal that understands control codes.</summary>
    public static bool ErrorIsTerminal { get; } = !Console.IsErrorRedirected && !IsDumb;

    /// <summary>https://no-color.org: any value but the empty one turns colours off.</summary>
    private static bool ColorAllowed { get; } = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    public static string Green(string text) => Paint(text, "32");

    public static string Dim(string text) => Paint(text, "2");

    /// <summary>Replaces control characters other than tab and line feed by their pictures.</summary>
    public static string WithoutControlCodes(string text) => !text.Any(IsControlCode)
        ? text
        : string.Create(text.Length, text, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                // U+2400 and on depict U+0000 to U+001F.
                span[i] = !IsControlCode(source[i]) ? source[i] : source[i] < ' ' ? (char)(0x2400 + source[i]) : '\uFFFD';
            }
        });

    private static bool IsControlCode(char character) => char.IsControl(character) && character is not ('\n' or '\t');

    /// <summary>Writes one line that says what is wrong to standard error.</summary>
    public static void WriteError(string tool, string message) => Console.Error.WriteLine($"{tool}: {message}");

    private static string Paint(string text, string code) => OutIsTerminal && ColorAllowed ? $"\e[{code}m{text}\e[0m" : text;
}
