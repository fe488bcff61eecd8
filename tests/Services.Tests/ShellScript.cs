using System.Diagnostics;

namespace Fastgen.Services.Tests;

/// <summary>Writes programs that tests put in the place of real ones.</summary>
internal static class ShellScript
{
    /// <remarks>
    /// Another process writes the file. Written by this one, it would be open in each child that another thread happens
    /// to start at that moment, and Linux runs no file that is open for writing ("Text file busy").
    /// </remarks>
    public static void Write(string path, string script)
    {
        using var writer = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "cat >\"$0\" && chmod 755 \"$0\"", path]) { RedirectStandardInput = true })!;
        writer.StandardInput.Write("#!/bin/sh\n" + script + "\n");
        writer.StandardInput.Close();
        writer.WaitForExit();
        Assert.Equal(0, writer.ExitCode);
    }
}
