using System.Text.Json;
using Fastgen.Contracts.Wire;

namespace Fastgen.InferenceWorker;

/// <summary>The last heartbeat over HTTP, for whoever looks at one worker.</summary>
internal static class StatusEndpoint
{
    public static async Task WriteAsync(HttpContext context)
    {
        if (context.RequestServices.GetRequiredService<Heartbeat>().Latest is not { } status)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.BodyWriter.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.WorkerStatus), context.RequestAborted);
    }
}
