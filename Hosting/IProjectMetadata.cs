namespace Aspire.Hosting;

/// <summary>A project of the solution that <c>AddProject</c> can start; implemented by the generated <c>Projects.*</c> types.</summary>
public interface IProjectMetadata
{
    /// <summary>Absolute path of the project file.</summary>
    string ProjectPath { get; }
}
