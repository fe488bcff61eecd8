using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Fastgen.Dashboard.Observation;

namespace Fastgen.Dashboard.Pages;

/// <summary>The changes of the page for one reader: of each snapshot, the fragments that differ from what it has.</summary>
internal sealed class UpdateFeed(StackObserver observer, Fragments fragments, IHostApplicationLifetime lifetime)
{
    /// <summary>Readers at once; each costs a connection and some KiB a second.</summary>
    public const int MaxReaders = 256;

    private int _readers;

    /// <summary>Makes room for a reader; false when there are <see cref="MaxReaders"/> already.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _readers) <= MaxReaders)
        {
            return true;
        }

        Interlocked.Decrement(ref _readers);
        return false;
    }

    /// <summary>Gives the room of <see cref="TryEnter"/> back.</summary>
    public void Leave() => Interlocked.Decrement(ref _readers);

    public async IAsyncEnumerable<SseItem<Dictionary<string, string>>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // A stream that never ends would hold up the end of the process.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        var sent = new Dictionary<string, string>();
        long version = 0;
        while (true)
        {
            StackSnapshot snapshot;
            try
            {
                snapshot = await observer.WaitForNewerAsync(version, ending.Token);
            }
            catch (OperationCanceledException)
            {
                yield break;
            }

            version = snapshot.Version;
            var changed = fragments.Render(snapshot).Where(part => !sent.TryGetValue(part.Key, out string? old) || old != part.Value).ToDictionary();
            foreach ((string id, string markup) in changed)
            {
                sent[id] = markup;
            }

            yield return new SseItem<Dictionary<string, string>>(changed) { EventId = $"{version}", ReconnectionInterval = TimeSpan.FromSeconds(1) };
        }
    }
}
