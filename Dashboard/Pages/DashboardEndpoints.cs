using System.Text;
using Fastgen.Dashboard.Observation;

namespace Fastgen.Dashboard.Pages;

/// <summary>The page, its files and its updates.</summary>
internal static class DashboardEndpoints
{
    // Everything is of our own origin, nothing is inline, and nobody frames us.
    private const string ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void MapDashboard(this WebApplication app)
    {
        app.Use(async (context, next) =>
        {
            IHeaderDictionary headers = context.Response.Headers;
            headers.ContentSecurityPolicy = ContentSecurityPolicy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers["Cross-Origin-Resource-Policy"] = "same-origin";
            await next(context);
        });
        app.MapGet("/", Page);
        app.MapGet("/events", Events);
        app.MapGet("/assets/{name}", Asset);
    }

    private static IResult Page(HttpContext context, StackObserver observer, Fragments fragments)
    {
        context.Response.Headers.CacheControl = "no-store";
        return Results.Text(DashboardPage.Render(fragments.Render(observer.Latest)), "text/html", Encoding.UTF8);
    }

    private static IResult Events(HttpContext context, UpdateFeed feed)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!feed.TryEnter())
        {
            return Results.Text($"{UpdateFeed.MaxReaders} pages are open already; close some.", statusCode: StatusCodes.Status503ServiceUnavailable);
        }

        context.Response.OnCompleted(() =>
        {
            feed.Leave();
            return Task.CompletedTask;
        });
        return TypedResults.ServerSentEvents(feed.ReadAsync(context.RequestAborted));
    }

    private static IResult Asset(HttpContext context, string name, string? v)
    {
        if (!StaticAsset.All.TryGetValue(name, out StaticAsset? asset))
        {
            return Results.NotFound();
        }

        context.Response.Headers.CacheControl = v == asset.Version ? "public, max-age=31536000, immutable" : "no-cache";
        return Results.Bytes(asset.Content, asset.ContentType);
    }
}
