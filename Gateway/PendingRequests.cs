using System.Collections.Concurrent;

namespace Fastgen.Gateway;

/// <summary>The requests that wait for replies, by their tickets.</summary>
internal sealed class PendingRequests
{
    private readonly ConcurrentDictionary<long, PendingRequest> _byTicket = new();
    private long _tickets;

    public int Count => _byTicket.Count;

    public ICollection<PendingRequest> All => _byTicket.Values;

    /// <summary>Gives the request a new ticket; replies to an older one are ignored from now on.</summary>
    public void Add(PendingRequest request)
    {
        _byTicket.TryRemove(request.Ticket, out _);
        request.Ticket = Interlocked.Increment(ref _tickets);
        _byTicket[request.Ticket] = request;
    }

    public PendingRequest? Find(long ticket) => _byTicket.GetValueOrDefault(ticket);

    public void Remove(PendingRequest request) => _byTicket.TryRemove(request.Ticket, out _);
}
