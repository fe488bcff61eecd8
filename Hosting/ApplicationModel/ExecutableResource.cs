namespace Aspire.Hosting.ApplicationModel;

/// <summary>A program of the machine.</summary>
public sealed class ExecutableResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport
{
    internal ExecutableResource(string name, string command, string workingDirectory)
        : base(name)
    {
        Command = command;
        WorkingDirectory = workingDirectory;
    }

    /// <summary>Path of the program, or its name on the PATH.</summary>
    public string Command { get; }

    /// <summary>Absolute path of the folder that it runs in.</summary>
    public string WorkingDirectory { get; }
}
