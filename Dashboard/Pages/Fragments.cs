using Fastgen.Contracts;
using Fastgen.Dashboard.Observation;

namespace Fastgen.Dashboard.Pages;

/// <summary>
/// The parts of the page that change, by the id of the element that holds them. The server renders each of them both
/// for the first page and for the updates, so that there is one rendering of everything.
/// </summary>
internal sealed class Fragments(GatewayLinks links)
{
    public IReadOnlyDictionary<string, string> Render(StackSnapshot snapshot) => new Dictionary<string, string>
    {
        ["notice"] = Notice(snapshot).ToString(),
        ["throughput"] = Throughput(snapshot).ToString(),
        ["resources"] = Resources(snapshot).ToString(),
        ["workers"] = Workers(snapshot).ToString(),
        ["models"] = Models(snapshot).ToString(),
        ["updated"] = Html.Of($"{snapshot.At.UtcDateTime:HH:mm:ss} UTC").ToString(),
    };

    /// <summary>What somebody has to do something about; empty when all is well.</summary>
    private static Html Notice(StackSnapshot snapshot)
    {
        var notices = new List<Html>();
        if (snapshot.Redis.IsHealthy == false)
        {
            notices.Add(Html.Of($"""<p class="notice bad"><strong>Redis does not answer</strong> since {snapshot.Redis.Since.UtcDateTime:HH:mm:ss} UTC, so workers and queue are unknown. {snapshot.Redis.Detail} This page recovers by itself.</p>"""));
        }
        else if (snapshot.Redis.IsHealthy == true && !snapshot.Live.Any())
        {
            notices.Add(Html.Of($"""<p class="notice warn"><strong>No workers yet.</strong> A worker appears here once it has loaded its model; its log tells how far it is.</p>"""));
        }

        if (snapshot.Unreadable > 0)
        {
            notices.Add(Html.Of($"""<p class="notice warn"><strong>Heartbeats that cannot be read: {snapshot.Unreadable}.</strong> Their workers may be of another version than this dashboard.</p>"""));
        }

        return Html.Join(notices);
    }

    private static Html Throughput(StackSnapshot snapshot)
    {
        WorkerStatus[] live = [.. snapshot.Live.Select(worker => worker.Status)];
        bool isKnown = snapshot.Redis.IsHealthy == true;
        return Html.Join(
        [
            Rate("generated", "Generated tokens per second", snapshot.Generated),
            Rate("prompt", "Prompt tokens per second", snapshot.Prompt),
            Number("running", "Running sequences", isKnown ? live.Sum(worker => worker.RunningSequences) : null),
            Number("waiting", "Waiting in workers", isKnown ? live.Sum(worker => worker.WaitingSequences) : null),
            Number("queued", "Queued in Redis", isKnown ? snapshot.QueuedRequests : null),
        ]);
    }

    private static Html Rate(string key, string label, IReadOnlyList<double> values)
    {
        Html now = values.Count > 0 && double.IsFinite(values[^1]) ? Html.Of($"{values[^1]:#,0.#}") : Html.Of($"–");
        return Html.Of($"""<div class="tile wide {key}"><dt>{label}</dt><dd data-value="{key}">{now}</dd>{Sparkline.Draw(values, StackObserver.HistoryTicks, label)}</div>""");
    }

    private static Html Number(string key, string label, long? value) =>
        Html.Of($"""<div class="tile"><dt>{label}</dt><dd data-value="{key}">{(value is { } known ? Html.Of($"{known:#,0}") : Html.Of($"–"))}</dd></div>""");

    private Html Resources(StackSnapshot snapshot)
    {
        int ready = snapshot.Workers.Count(worker => worker.State == WorkerState.Ready);
        int listed = snapshot.Workers.Count;
        bool? workersHealth = snapshot.Redis.IsHealthy != true ? null : listed > 0 && ready == listed;
        Html gatewayLinks = links.Public is { } address
            ? Html.Join([Link(new Uri(address, "/v1/models"), "Models"), Link(new Uri(address, "/health"), "Health")])
            : Html.Empty;
        return Html.Join(
        [
            Resource("gateway", "OpenAI API", Badge(snapshot.Gateway.IsHealthy), snapshot.Gateway.Detail, gatewayLinks),
            Resource("worker", "inference", Badge(workersHealth), listed == 0 ? "None has reported." : $"{ready} of {listed} ready.", Html.Of($"""<a href="#workers-title">Details</a>""")),
            Resource("redis", "queues and replies", Badge(snapshot.Redis.IsHealthy), snapshot.Redis.IsHealthy == false ? "Does not answer." : snapshot.Redis.Detail, Html.Empty),
            Resource("dashboard", "this page", Badge(true), "Read-only.", Html.Of($"""<a href="/health">Health</a>""")),
        ]);
    }

    private static Html Resource(string name, string what, Html badge, string detail, Html actions) =>
        Html.Of($"""<tr data-resource="{name}"><th scope="row">{name}<small>{what}</small></th><td>{badge}</td><td>{detail}</td><td class="links">{actions}</td></tr>""");

    private static Html Link(Uri address, string text) => Html.Of($"""<a href="{address.AbsoluteUri}" rel="noreferrer">{text}</a>""");

    private static Html Badge(bool? isHealthy) => isHealthy switch
    {
        true => Badge("good", "Ready"),
        false => Badge("bad", "Not ready"),
        null => Badge("unknown", "Unknown"),
    };

    private static Html Badge(string kind, string text) => Html.Of($"""<span class="badge {kind}">{text}</span>""");

    private static Html Workers(StackSnapshot snapshot) => snapshot.Workers.Count == 0
        ? Html.Of($"""<tr><td colspan="6" class="empty">No worker has reported.</td></tr>""")
        : Html.Join(snapshot.Workers.Select(Worker));

    private static Html Worker(WorkerView worker)
    {
        WorkerStatus status = worker.Status;
        int usedBlocks = status.TotalBlocks - status.FreeBlocks;
        Html state = worker.State switch
        {
            WorkerState.Ready => Badge("good", "Ready"),
            WorkerState.Faulted => Badge("bad", "Faulted"),
            WorkerState.Draining => Badge("warn", "Draining"),
            WorkerState.Silent => Badge("warn", $"Silent for {worker.SilentSeconds} s"),
            _ => Badge("bad", $"Gone {worker.SilentSeconds} s ago"),
        };
        if (!worker.IsLive)
        {
            return Html.Of($"""<tr data-worker="{status.Id}" class="silent"><th scope="row">{status.Id}<small>{status.Model}</small></th><td>{state}</td><td colspan="4" class="empty">Nothing is known of it now.</td></tr>""");
        }

        return Html.Of($"""
            <tr data-worker="{status.Id}"><th scope="row">{status.Id}<small>{status.Model}</small></th><td>{state}</td>
            <td class="number" data-label="Generated/s">{worker.GeneratedTokensPerSecond:#,0.#}</td>
            <td class="number" data-label="Running">{status.RunningSequences:#,0}</td>
            <td class="number" data-label="Waiting">{status.WaitingSequences:#,0}</td>
            <td data-label="KV blocks"><span class="blocks"><meter min="0" max="{Math.Max(1, status.TotalBlocks)}" value="{usedBlocks}" aria-label="KV blocks used by {status.Id}"></meter> {usedBlocks:#,0} / {status.TotalBlocks:#,0}</span></td></tr>
            """);
    }

    private static Html Models(StackSnapshot snapshot)
    {
        Html[] models = [.. snapshot.Live
            .GroupBy(worker => (worker.Status.Model, worker.Status.MaxContextTokens))
            .OrderBy(model => model.Key.Model, StringComparer.Ordinal)
            .Select(model => Html.Of($"""<li><code>{model.Key.Model}</code> {model.Key.MaxContextTokens:#,0} tokens of context, {model.Count()} {(model.Count() == 1 ? "worker" : "workers")}</li>"""))];
        return models.Length == 0 ? Html.Of($"""<li class="empty">None is being served.</li>""") : Html.Join(models);
    }
}
