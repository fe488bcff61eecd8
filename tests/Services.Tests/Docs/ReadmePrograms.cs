using System.Text.RegularExpressions;
using Fastgen.Services.Tests.Architecture;
using Fastgen.Services.Tests.Tools;

namespace Fastgen.Services.Tests.Docs;

/// <summary>README.md's C# blocks as programs, compiled by the SDK's own compiler against the libraries that were built.</summary>
public sealed partial class ReadmePrograms : IDisposable
{
    /// <summary>What <c>ImplicitUsings</c> gives a console program.</summary>
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    // What a reader's project refers to: the engine, and OpenAI's package with the one that it needs.
    private static readonly string[] References = ["Fastgen.Engine.dll", "OpenAI.dll", "System.ClientModel.dll"];

    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-readme-").FullName;
    private int _programs;

    public ReadmePrograms()
    {
        // Beside the program, so that the runtime finds them as it does in the output of a project.
        foreach (string library in Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll"))
        {
            File.CreateSymbolicLink(Path.Combine(_folder, Path.GetFileName(library)), library);
        }

        File.WriteAllText(Path.Combine(_folder, "usings.cs"), ImplicitUsings);
    }

    /// <summary>Runtime, SDK and the program <c>dotnet</c> lie under it.</summary>
    private static string DotnetRoot { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));

    /// <summary>The blocks of a language, in order.</summary>
    public static IReadOnlyList<string> Blocks(string language) =>
        [.. Fences().Matches(SourceTree.Read("README.md")).Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value)];

    /// <summary>Compiles a block and gives the path of the program.</summary>
    public async Task<string> CompileAsync(string source)
    {
        string? compiler = Directory.Exists(Path.Combine(DotnetRoot, "sdk"))
            ? Directory.EnumerateFiles(Path.Combine(DotnetRoot, "sdk"), "csc.dll", SearchOption.AllDirectories).FirstOrDefault(path => path.Contains("bincore", StringComparison.Ordinal))
            : null;
        Assert.SkipWhen(compiler is null, $"no C# compiler under {DotnetRoot}/sdk: run the tests by the dotnet of an SDK");
        string name = $"readme{++_programs}";
        string program = Path.Combine(_folder, name + ".dll");
        string file = Path.Combine(_folder, name + ".cs");
        await File.WriteAllTextAsync(file, source);
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Fastgen.Services.Tests.runtimeconfig.json"), Path.Combine(_folder, name + ".runtimeconfig.json"));
        IEnumerable<string> framework = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Where(path => path.StartsWith(DotnetRoot, StringComparison.Ordinal));
        string response = Path.Combine(_folder, name + ".rsp");
        await File.WriteAllLinesAsync(response, (string[])
        [
            "-nologo", "-noconfig", "-nostdlib", "-target:exe", "-langversion:latest", "-nullable:enable", "-warnaserror",
            // As every SDK project: libraries may be built against older versions of the framework.
            "-nowarn:1701,1702",
            $"-out:\"{program}\"",
            .. framework.Concat(References.Select(reference => Path.Combine(AppContext.BaseDirectory, reference))).Select(path => $"-reference:\"{path}\""),
            $"\"{file}\"",
            $"\"{Path.Combine(_folder, "usings.cs")}\"",
        ]);
        await using ToolProcess build = ToolProcess.StartProgram(Path.Combine(DotnetRoot, "dotnet"), compiler!, "@" + response);
        int code = await build.ExitCodeAsync();
        Assert.True(code == 0, $"The block does not compile:\n{build.Output}{build.Error}\n{source}");
        return program;
    }

    /// <summary>Runs a block as a program in the root of the checkout, and gives what it printed.</summary>
    public async Task<string> RunAsync(string source)
    {
        string program = await CompileAsync(source);
        await using ToolProcess run = ToolProcess.StartIn(SourceTree.Root, Path.Combine(DotnetRoot, "dotnet"), program);
        int code = await run.ExitCodeAsync();
        Assert.True(code == 0, $"ended with {code}: {run.Output}{run.Error}");
        return run.Output;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [GeneratedRegex(@"^```(\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fences();
}
