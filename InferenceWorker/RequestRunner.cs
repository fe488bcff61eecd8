using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>Takes requests from entries of the request streams through the engine to the reply streams.</summary>
internal sealed class RequestRunner(RedisClient redis, RunningRequests requests, ReplyStreams replies, WorkerState state, WorkerIdentity identity, ILogger<RequestRunner> logger)
{
    // An id becomes part of a key and of a table that lives as long as the worker.
    private const int MaxGatewayIdBytes = 256;

    // Each takes memory here before the engine sees the request; how many it runs it says itself.
    private const int MaxChoices = 4096;

    private static readonly TimeSpan LongIdle = TimeSpan.FromHours(1);

    /// <summary>Begins a request; returns at once.</summary>
    public void Start(ReplyPump pump, string stream, in RedisStreamEntry entry)
    {
        if (TryAdmit(stream, entry) is { } request)
        {
            _ = RunAsync(pump, request);
        }
    }

    /// <summary>Gives a request of a dead worker back to its gateway, which alone knows what the caller has and submits it anew with that.</summary>
    /// <remarks>What the dead worker wrote stands before this in the reply stream, so nothing of it is lost.</remarks>
    public void Release(string stream, in RedisStreamEntry entry)
    {
        if (TryAdmit(stream, entry) is { } request && request.TryEnd())
        {
            Release(request, ReleaseReason.WorkerLost);
        }
    }

    private RunningRequest? TryAdmit(string stream, in RedisStreamEntry entry)
    {
        if (entry.IsDeleted)
        {
            return null;
        }

        if (!TryRead(stream, entry, out RunningRequest? request, out GenerationException? refusal))
        {
            _ = AcknowledgeAsync(stream, entry.Id);
            return null;
        }

        Admission admission = requests.TryAdd(request);
        if (admission == Admission.Accepted)
        {
            if (refusal is null)
            {
                return request;
            }

            Fail(request, refusal);
            return null;
        }

        request.Dispose();
        if (admission == Admission.Cancelled)
        {
            _ = AcknowledgeAsync(stream, entry.Id);
        }

        return null;
    }

    /// <summary>Lets another worker have an entry at once, by making it look long forgotten.</summary>
    public async Task HandBackAsync(string stream, string entryId)
    {
        try
        {
            await redis.ExecuteAsync("XCLAIM", stream, RedisKeys.WorkerGroup, identity.Id, 0, entryId, "IDLE", (long)LongIdle.TotalMilliseconds, "JUSTID");
        }
        catch (RedisException e)
        {
            // Without that the others take it once this worker counts as dead.
            logger.LogWarning("Entry {Entry} of {Stream} could not be handed back: {Message}", entryId, stream, e.Message);
        }
    }

    /// <summary>Passes on what the engine has to say of a request.</summary>
    /// <param name="news">In order.</param>
    /// <param name="hasEnded">The engine says no more of it.</param>
    public void Pass(RunningRequest request, List<GenerationEvent> news, bool hasEnded, ReplyStream target)
    {
        if (request.StopReason == StopReason.None && news.Exists(part => part.FinishReason == FinishReason.Error) && IsFaulted())
        {
            // The request is not to blame for the engine: another worker shall take it.
            request.Stop(StopReason.HandedBack);
        }

        if (request.StopReason != StopReason.None)
        {
            if (hasEnded)
            {
                End(request);
            }

            return;
        }

        foreach (GenerationEvent part in news)
        {
            target.Add(request, part);
        }
    }

    /// <summary>Does what is left to do for a request that was stopped.</summary>
    public void End(RunningRequest request)
    {
        if (request.TryEnd())
        {
            _ = EndAsync(request);
        }
    }

    private async Task RunAsync(ReplyPump pump, RunningRequest request)
    {
        // Reading the prompt is work; whoever pulls requests goes on pulling.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        if (request.StopReason != StopReason.None)
        {
            End(request);
            return;
        }

        try
        {
            request.Attach(pump.Start(request));
        }
        catch (GenerationException failure) when (!IsFaulted())
        {
            Fail(request, failure);
        }
        catch (Exception e)
        {
            logger.LogError(e, "Request {Request} failed", request.Request.Id);
            if (!IsFaulted())
            {
                Fail(request, new GenerationException(GenerationErrorKind.Internal, $"The worker failed: {e.Message}"));
                return;
            }

            request.Stop(StopReason.HandedBack);
            End(request);
        }
    }

    private bool IsFaulted() => state.Model?.Engine.Statistics.IsFaulted == true;

    private void Fail(RunningRequest request, GenerationException failure)
    {
        ReplyStream target = replies.For(request.GatewayId);
        target.Add(request, failure);
        target.Flush();
    }

    private void Release(RunningRequest request, ReleaseReason reason)
    {
        ReplyStream target = replies.For(request.GatewayId);
        target.Add(request, reason);
        target.Flush();
    }

    private async Task EndAsync(RunningRequest request)
    {
        switch (request.StopReason)
        {
            case StopReason.Late:
                // It is removed when that is written.
                Fail(request, new GenerationException(
                    GenerationErrorKind.Unavailable,
                    $"The request was not done at its deadline of {request.Request.Deadline:O}; ask for fewer tokens or allow more time.",
                    null,
                    "deadline_exceeded"));
                return;
            case StopReason.HandedBack:
                Release(request, IsFaulted() ? ReleaseReason.WorkerLost : ReleaseReason.HandedBack);
                return;
            case StopReason.Cancelled:
                await AcknowledgeAsync(request.Stream, request.EntryId);
                break;
        }

        requests.Remove(request);
        request.Dispose();
    }

    private async Task AcknowledgeAsync(string stream, string entryId)
    {
        try
        {
            await redis.XAckAsync(stream, RedisKeys.WorkerGroup, [entryId]);
            await redis.XDelAsync(stream, [entryId]);
        }
        catch (RedisException e)
        {
            logger.LogWarning("Entry {Entry} of {Stream} could not be acknowledged: {Message}", entryId, stream, e.Message);
        }
    }

    /// <summary>Reads an entry, whoever wrote it.</summary>
    /// <param name="refusal">What to tell the gateway when it is known and the rest is not fit to run.</param>
    /// <returns>False when nobody can be told anything.</returns>
    private bool TryRead(string stream, in RedisStreamEntry entry, [NotNullWhen(true)] out RunningRequest? request, out GenerationException? refusal)
    {
        request = null;
        refusal = null;
        if (!entry.TryGet("gateway"u8, out ReadOnlyMemory<byte> gateway)
            || gateway.Length is 0 or > MaxGatewayIdBytes
            || !entry.TryGet("ticket"u8, out ReadOnlyMemory<byte> ticket)
            || !long.TryParse(ticket.Span, NumberStyles.None, CultureInfo.InvariantCulture, out long number))
        {
            logger.LogError("Entry {Entry} of {Stream} names no gateway and ticket and is dropped", entry.Id, stream);
            return false;
        }

        GenerationRequest? read = ReadBody(entry, out string? fault);
        if (fault is not null)
        {
            logger.LogError("Entry {Entry} of {Stream} is refused: {Fault}", entry.Id, stream, fault);
            refusal = new GenerationException(GenerationErrorKind.Internal, $"The worker cannot run what the gateway sent: {fault}; gateway and workers must be of the same version.");
        }

        GenerationRequest runnable = fault is null ? read! : new GenerationRequest { Id = entry.Id, Model = "" };
        request = new RunningRequest(stream, entry.Id, Encoding.UTF8.GetString(gateway.Span), number, runnable);
        return true;
    }

    private static GenerationRequest? ReadBody(in RedisStreamEntry entry, out string? fault)
    {
        GenerationRequest? read = null;
        try
        {
            read = entry.TryGet("body"u8, out ReadOnlyMemory<byte> body) ? JsonSerializer.Deserialize(body.Span, ContractsJson.Default.GenerationRequest) : null;
            fault = read is null ? "there is no body"
                : read.Id is null || read.Model is null || read.Sampling is null ? "Id, Model or Sampling is null"
                : read.Choices is < 1 or > MaxChoices ? $"Choices is {read.Choices} and must be from 1 to {MaxChoices}"
                : null;
        }
        catch (JsonException e)
        {
            fault = $"the body is no request: {e.Message}";
        }

        return read;
    }
}
