#pragma warning disable ASPIREPROBES001 // WithHttpProbe is still experimental in Aspire 13.5

using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Kubernetes.Resources;

namespace Fastgen.AppHost;

internal static partial class Publishing
{
    static partial void DescribeKubernetes(
        IDistributedApplicationBuilder builder,
        IResourceBuilder<ProjectResource> worker,
        IResourceBuilder<ProjectResource> gateway,
        IResourceBuilder<ProjectResource> dashboard)
    {
        builder.AddKubernetesEnvironment("k8s")
            .WithHelm(helm => helm.WithChartName("fastgen").WithChartVersion("0.1.0").WithNamespace("fastgen"))
            .WithDashboard(false) // Aspire's own dashboard container; the system has its own
            .ExcludeFromManifest() // aspire-manifest.json would get an entry that its schema rejects
            .WithProperties(environment => environment.DefaultImagePullPolicy = "IfNotPresent");

        if (builder.ExecutionContext.IsRunMode)
        {
            return; // a probe is a second health check there
        }

        worker.WithHttpProbe(ProbeType.Readiness, "/health", periodSeconds: 5, failureThreshold: 60)
            .PublishAsKubernetesService(service =>
            {
                var pod = service.Workload!.PodTemplate.Spec;
                pod.Containers[0].ReadinessProbe!.HttpGet!.Scheme = "HTTP"; // 13.5 writes "http", which the Kubernetes API rejects
                pod.Containers[0].Resources = new ResourceRequirementsV1 { Limits = { ["nvidia.com/gpu"] = "1" }, Requests = { ["memory"] = "16Gi" } };
                pod.RuntimeClassName = "nvidia";
                pod.Tolerations.Add(new TolerationV1 { Key = "nvidia.com/gpu", Operator = "Exists", Effect = "NoSchedule" });
                pod.NodeSelector["nvidia.com/gpu.present"] = "true";
            });

        gateway.WithHttpProbe(ProbeType.Readiness, "/health")
            .PublishAsKubernetesService(service =>
            {
                service.Workload!.PodTemplate.Spec.Containers[0].ReadinessProbe!.HttpGet!.Scheme = "HTTP";
                service.Service!.Spec.Type = "LoadBalancer"; // WithExternalHttpEndpoints has no effect on the chart
            });

        dashboard.WithHttpProbe(ProbeType.Readiness, "/health")
            .PublishAsKubernetesService(service => service.Workload!.PodTemplate.Spec.Containers[0].ReadinessProbe!.HttpGet!.Scheme = "HTTP");
    }
}
