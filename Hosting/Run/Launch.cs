namespace Fastgen.Hosting.Run;

/// <summary>A process to start.</summary>
/// <param name="Environment">Added to the variables of the host.</param>
internal sealed record Launch(string FileName, IReadOnlyList<string> Arguments, string WorkingDirectory, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Set when the process is a container engine's client: the container lives until its standard input ends.</summary>
    public string? ContainerName { get; init; }
}
