using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fastgen.AppHost;

/// <summary>What the system needs in order to be published. Publishing is Aspire's part; the local host only runs.</summary>
internal static partial class Publishing
{
    public static void Describe(
        IDistributedApplicationBuilder builder,
        IResourceBuilder<ProjectResource> worker,
        IResourceBuilder<ProjectResource> gateway,
        IResourceBuilder<ProjectResource> dashboard)
        => DescribeKubernetes(builder, worker, gateway, dashboard);

    // Implemented in Publishing.Kubernetes.cs, which the Aspire build alone compiles; without it the call vanishes.
    static partial void DescribeKubernetes(
        IDistributedApplicationBuilder builder,
        IResourceBuilder<ProjectResource> worker,
        IResourceBuilder<ProjectResource> gateway,
        IResourceBuilder<ProjectResource> dashboard);
}
