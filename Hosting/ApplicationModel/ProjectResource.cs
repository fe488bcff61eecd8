namespace Aspire.Hosting.ApplicationModel;

/// <summary>A project of the solution, run from its build output.</summary>
public sealed class ProjectResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithServiceDiscovery, IResourceWithWaitSupport
{
    internal ProjectResource(string name, string projectPath, string assemblyPath)
        : base(name)
    {
        ProjectPath = projectPath;
        AssemblyPath = assemblyPath;
    }

    internal string ProjectPath { get; }

    /// <summary>The built assembly, started by the dotnet executable.</summary>
    internal string AssemblyPath { get; }
}
