using System.Reflection;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Projects of the solution as resources.</summary>
public static class ProjectResourceBuilderExtensions
{
    /// <summary>Adds a project, run from the output that the app host's own build made of it.</summary>
    /// <param name="launchProfileName">Null: no launch profile. This host reads none, so every endpoint is named in the app host.</param>
    /// <exception cref="DistributedApplicationException">The app host's assembly does not say where the project's output lies.</exception>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name, string? launchProfileName)
        where TProject : IProjectMetadata, new()
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (launchProfileName is not null)
        {
            throw new DistributedApplicationException(
                $"Project '{name}' asks for launch profile '{launchProfileName}', but this host reads no launch profiles; pass null and name its endpoints by WithHttpEndpoint.");
        }

        var projectPath = new TProject().ProjectPath;
        var assemblyPath = typeof(TProject).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(a => a.Key == "output:" + projectPath)?.Value
            ?? throw new DistributedApplicationException(
                $"The assembly of {typeof(TProject)} does not say where the output of '{projectPath}' lies; import Hosting/AppHost.targets in the app host's project.");
        return builder.AddResource(new ProjectResource(name, projectPath, assemblyPath));
    }

    /// <summary>Runs <paramref name="replicas"/> processes of the project, each on ports of its own.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (replicas is < 1 or > 256)
        {
            throw new ArgumentOutOfRangeException(
                nameof(replicas), $"Project '{builder.Resource.Name}' asks for {replicas} replicas; 1 to 256 are possible.");
        }

        builder.Resource.Replicas = replicas;
        return builder;
    }
}
