using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fastgen.ServiceDefaults;

/// <summary>
/// Runs before everything else and gives the server's span what OpenTelemetry's conventions for HTTP ask for and the
/// framework leaves to an instrumentation package: its name, route and status. Probes are left out of the traces.
/// </summary>
internal sealed class ServerSpanFilter : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(Middleware);
        next(app);
    };

    private static async Task Middleware(HttpContext context, RequestDelegate next)
    {
        Activity? span = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpActivityFeature>()?.Activity;
        if (span is null || !span.IsAllDataRequested)
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        if (ServiceDefaultsExtensions.IsProbe(context.Request.Path.Value))
        {
            span.IsAllDataRequested = false;
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            await next(context).ConfigureAwait(false);
            return;
        }

        string method = context.Request.Method;
        span.DisplayName = method;
        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
        {
            span.AddException(e);
            span.SetStatus(ActivityStatusCode.Error, e.GetType().Name);
            span.SetTag("error.type", e.GetType().FullName);
            throw;
        }
        finally
        {
            if ((context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText is { Length: > 0 } route)
            {
                span.DisplayName = $"{method} {route}";
                span.SetTag("http.route", route);
            }

            span.SetTag("http.response.status_code", context.Response.StatusCode);
            if (context.Response.StatusCode >= 500)
            {
                span.SetStatus(ActivityStatusCode.Error);
                if (span.GetTagItem("error.type") is null)
                {
                    span.SetTag("error.type", $"{context.Response.StatusCode}");
                }
            }
        }
    }
}
