using Fastgen.Contracts;

namespace Fastgen.Dashboard.Observation;

/// <summary>
/// Follows workers from reading to reading and tells which have fallen silent. Silence is measured by this process's
/// clock from the moment a heartbeat was last seen to change, so clocks of other machines do not matter.
/// </summary>
internal sealed class WorkerLedger
{
    public static readonly TimeSpan SilentAfter = TimeSpan.FromSeconds(6);

    /// <summary>How long a worker is still shown after its heartbeat went away.</summary>
    public static readonly TimeSpan ForgetAfter = TimeSpan.FromSeconds(60);

    private readonly SortedDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    public void Read(IReadOnlyList<WorkerStatus> statuses, DateTimeOffset now)
    {
        foreach (Entry entry in _entries.Values)
        {
            entry.IsPresent = false;
        }

        foreach (WorkerStatus status in statuses)
        {
            if (!_entries.TryGetValue(status.Id, out Entry? entry))
            {
                entry = new Entry { Status = status, ChangedAt = now };
                _entries.Add(status.Id, entry);
            }
            else if (entry.Status.AtUnixMs != status.AtUnixMs)
            {
                entry.ChangedAt = now;
            }

            entry.Status = status;
            entry.IsPresent = true;
        }

        foreach (string id in _entries.Where(pair => !pair.Value.IsPresent && now - pair.Value.ChangedAt > ForgetAfter).Select(pair => pair.Key).ToArray())
        {
            _entries.Remove(id);
        }
    }

    /// <summary>All workers by id.</summary>
    public IReadOnlyList<WorkerView> Views(DateTimeOffset now) => [.. _entries.Values.Select(entry =>
    {
        TimeSpan silence = now - entry.ChangedAt;
        WorkerState state = !entry.IsPresent ? WorkerState.Gone
            : silence > SilentAfter ? WorkerState.Silent
            : entry.Status.IsFaulted ? WorkerState.Faulted
            : entry.Status.IsDraining ? WorkerState.Draining
            : WorkerState.Ready;
        return new WorkerView(entry.Status, state, (int)silence.TotalSeconds);
    })];

    private sealed class Entry
    {
        public required WorkerStatus Status { get; set; }

        public required DateTimeOffset ChangedAt { get; set; }

        public bool IsPresent { get; set; }
    }
}
