namespace Fastgen.Dashboard.Pages;

/// <summary>The whole page, complete when it arrives; a script, where there is one, keeps it up to date.</summary>
internal static class DashboardPage
{
    /// <param name="fragments">Rendered by <see cref="Fragments"/>.</param>
    public static string Render(IReadOnlyDictionary<string, string> fragments) => $"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Fastgen dashboard</title>
        <link rel="icon" href="{Asset("favicon.svg")}" type="image/svg+xml">
        <link rel="stylesheet" href="{Asset("dashboard.css")}">
        <script src="{Asset("dashboard.js")}" defer></script>
        <noscript><meta http-equiv="refresh" content="5"></noscript>
        </head>
        <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
        <h1>Fastgen <span>dashboard</span></h1>
        <p class="updated"><span id="link" data-state="still">as of</span> <time id="updated">{fragments["updated"]}</time></p>
        </header>
        <main id="main" tabindex="-1">
        <div id="lost" class="notice bad" role="alert" hidden></div>
        <div id="notice" role="status">{fragments["notice"]}</div>
        <p id="spoken" class="spoken" aria-live="polite"></p>
        <section aria-labelledby="throughput-title">
        <h2 id="throughput-title">Throughput</h2>
        <dl id="throughput" class="tiles">{fragments["throughput"]}</dl>
        </section>
        <section aria-labelledby="resources-title">
        <h2 id="resources-title">Resources</h2>
        <div class="card"><table>
        <thead><tr><th scope="col">Resource</th><th scope="col">State</th><th scope="col">Detail</th><th scope="col">Links</th></tr></thead>
        <tbody id="resources">{fragments["resources"]}</tbody>
        </table></div>
        </section>
        <section aria-labelledby="workers-title">
        <h2 id="workers-title">Workers</h2>
        <div class="card"><table class="workers">
        <thead><tr><th scope="col">Worker</th><th scope="col">State</th><th scope="col" class="number">Generated/s</th><th scope="col" class="number">Running</th><th scope="col" class="number">Waiting</th><th scope="col">KV blocks</th></tr></thead>
        <tbody id="workers">{fragments["workers"]}</tbody>
        </table></div>
        </section>
        <section aria-labelledby="models-title">
        <h2 id="models-title">Models</h2>
        <ul id="models" class="card">{fragments["models"]}</ul>
        </section>
        </main>
        </body>
        </html>
        """;

    private static string Asset(string name) => StaticAsset.All[name].VersionedPath;
}
