using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Programs of the machine as resources.</summary>
public static class ExecutableResourceBuilderExtensions
{
    /// <summary>Adds a program.</summary>
    /// <param name="command">Path of the program, or its name on the PATH.</param>
    /// <param name="workingDirectory">Folder to run it in, relative to the app host's.</param>
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params string[]? args)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(command);
        var resource = new ExecutableResource(name, command, Path.GetFullPath(workingDirectory, builder.AppHostDirectory));
        resource.Arguments.AddRange(args ?? []);
        return builder.AddResource(resource);
    }
}
