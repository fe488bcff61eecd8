using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Fastgen.AppHost;

/// <summary>Tells whoever started the system where it is, once it can answer.</summary>
internal static class Announcement
{
    public static void WhenReady(
        IDistributedApplicationBuilder builder,
        IResourceBuilder<ProjectResource> gateway,
        IResourceBuilder<ProjectResource> dashboard,
        string modelPath,
        bool hasKey)
    {
        if (!builder.ExecutionContext.IsRunMode)
        {
            return;
        }

        builder.Eventing.Subscribe<ResourceReadyEvent>(gateway.Resource, async (ready, ct) =>
        {
            // The gateway is ready when the workers are; nothing waits for the dashboard but this text.
            await ready.Services.GetRequiredService<ResourceNotificationService>().WaitForResourceHealthyAsync(dashboard.Resource.Name, ct);
            Console.WriteLine(Text(gateway.GetEndpoint("http").Url, dashboard.GetEndpoint("http").Url, modelPath, hasKey));
        });
    }

    private static string Text(string gatewayUrl, string dashboardUrl, string modelPath, bool hasKey)
    {
        var model = Path.GetFileName(Path.TrimEndingDirectorySeparator(modelPath));
        var authorization = hasKey ? " -H \"Authorization: Bearer $API_KEY\"" : "";
        return $$"""

            Ready.
              OpenAI API   {{gatewayUrl}}/v1
              Dashboard    {{dashboardUrl}}
              Model        {{modelPath}}

            Try it:
              curl -N {{gatewayUrl}}/v1/chat/completions -H 'Content-Type: application/json'{{authorization}} -d '{"model":"{{model}}","stream":true,"messages":[{"role":"user","content":"Write a haiku about the sea."}]}'

            Ctrl-C stops everything.

            """;
    }
}
