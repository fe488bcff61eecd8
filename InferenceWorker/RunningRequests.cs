using System.Collections.Concurrent;
using Fastgen.Contracts.Wire;

namespace Fastgen.InferenceWorker;

/// <summary>The requests that this worker has taken.</summary>
internal sealed class RunningRequests
{
    // A cancellation can arrive before the request it means; so many are remembered for that.
    private const int RememberedCancellations = 1024;

    private readonly ConcurrentDictionary<(string GatewayId, long Ticket), RunningRequest> _requests = new();
    private readonly Queue<CancelMessage> _cancelled = new();
    private readonly HashSet<CancelMessage> _cancelledSet = [];
    private int _count;
    private int _sequences;
    private long _finished;
    private long _numbers;

    /// <summary>Who sees that a request is gone sees it among the <see cref="Finished"/> too.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Choices of all requests.</summary>
    public int Sequences => Volatile.Read(ref _sequences);

    public long Finished => Volatile.Read(ref _finished);

    /// <summary>Number of the newest request.</summary>
    public long LastNumber => Volatile.Read(ref _numbers);

    public ICollection<RunningRequest> All => _requests.Values;

    /// <returns>Whether it may run.</returns>
    public Admission TryAdd(RunningRequest request)
    {
        lock (_cancelled)
        {
            if (_cancelledSet.Contains(new CancelMessage(request.GatewayId, request.Ticket)))
            {
                return Admission.Cancelled;
            }

            request.Number = Interlocked.Increment(ref _numbers);
            if (!_requests.TryAdd((request.GatewayId, request.Ticket), request))
            {
                return Admission.RunsHere;
            }
        }

        Interlocked.Increment(ref _count);
        Interlocked.Add(ref _sequences, request.Choices);
        return Admission.Accepted;
    }

    public void Remove(RunningRequest request)
    {
        if (_requests.TryRemove(KeyValuePair.Create((request.GatewayId, request.Ticket), request)))
        {
            Interlocked.Increment(ref _finished);
            Interlocked.Add(ref _sequences, -request.Choices);
            Interlocked.Decrement(ref _count);
        }
    }

    public void Cancel(CancelMessage message)
    {
        lock (_cancelled)
        {
            if (_cancelledSet.Add(message))
            {
                _cancelled.Enqueue(message);
                if (_cancelled.Count > RememberedCancellations)
                {
                    _cancelledSet.Remove(_cancelled.Dequeue());
                }
            }
        }

        if (_requests.TryGetValue((message.GatewayId, message.Ticket), out RunningRequest? request))
        {
            request.Stop(StopReason.Cancelled);
        }
    }

    /// <summary>Ends what is for a gateway that is no more.</summary>
    /// <param name="lastNumber">Requests with a higher number came after the gateway was found missing, so it is back.</param>
    public void GatewayIsGone(string gatewayId, long lastNumber)
    {
        foreach (RunningRequest request in _requests.Values)
        {
            if (request.GatewayId == gatewayId && request.Number <= lastNumber)
            {
                request.Stop(StopReason.Cancelled);
            }
        }
    }
}
