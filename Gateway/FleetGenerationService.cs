using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fastgen.Contracts;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Gateway;

/// <summary>Serves requests of the API with the workers behind Redis.</summary>
internal sealed class FleetGenerationService(FleetDirectory fleet, RequestQueue queue, PendingRequests pending, GatewayOptions options, GatewayCounters counters) : IGenerationService
{
    private int _open;

    public async ValueTask<IReadOnlyList<ModelInfo>> ListModelsAsync(CancellationToken cancellationToken)
    {
        await RefreshAsync(force: fleet.Workers.Count == 0, cancellationToken);
        return fleet.Models();
    }

    public async IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await CheckModelAsync(request.Model, cancellationToken);
        Enter();
        PendingRequest submitted = await SubmitAsync(request, cancellationToken);
        DateTimeOffset deadline = submitted.Request.Deadline!.Value;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        TimeSpan left = deadline - DateTimeOffset.UtcNow;
        stop.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        using CancellationTokenRegistration wake = stop.Token.UnsafeRegister(static request => ((PendingRequest)request!).Wake(), submitted);
        bool isDone = false;
        try
        {
            while (!isDone)
            {
                await submitted.WaitAsync();
                if (stop.IsCancellationRequested)
                {
                    throw Stopped(deadline, cancellationToken);
                }

                while (!isDone && TakeNext(submitted, ref isDone) is { } news)
                {
                    yield return news;
                }
            }
        }
        finally
        {
            Leave();
            if (isDone)
            {
                pending.Remove(submitted);
            }
            else
            {
                submitted.Fail(new GenerationException(GenerationErrorKind.Unavailable, "The request was cancelled."));
                await queue.CancelAsync(submitted);
            }
        }
    }

    private static GenerationEvent? TakeNext(PendingRequest submitted, ref bool isDone)
    {
        try
        {
            return submitted.Take(out isDone);
        }
        catch (GenerationException)
        {
            isDone = true;
            throw;
        }
    }

    private static Exception Stopped(DateTimeOffset deadline, CancellationToken cancellationToken) => cancellationToken.IsCancellationRequested
        ? new OperationCanceledException(cancellationToken)
        : new GenerationException(
            GenerationErrorKind.Unavailable,
            $"The request was not done at its deadline of {deadline:O}; ask for fewer tokens or allow more time.",
            null,
            "deadline_exceeded");

    private async Task<PendingRequest> SubmitAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        DateTimeOffset latest = DateTimeOffset.UtcNow.AddSeconds(options.RequestTimeoutSeconds);
        GenerationRequest resolved = request with
        {
            // With a seed a second worker draws the same tokens as the first, should that die.
            Sampling = request.Sampling.Seed is null ? request.Sampling with { Seed = RandomSeed() } : request.Sampling,
            Deadline = request.Deadline is { } asked && asked < latest ? asked : latest,
        };
        PriorityClass priority = request.Priority < 0 ? PriorityClass.High : request.Priority > 0 ? PriorityClass.Low : PriorityClass.Normal;
        var submitted = new PendingRequest(resolved, RedisKeys.Requests(request.Model, priority));
        try
        {
            await queue.SubmitAsync(submitted, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Leave();
            // It may have reached Redis all the same.
            await queue.CancelAsync(submitted);
            throw;
        }
        catch
        {
            Leave();
            throw;
        }

        return submitted;
    }

    private async Task CheckModelAsync(string model, CancellationToken cancellationToken)
    {
        await RefreshAsync(force: false, cancellationToken);
        if (fleet.Serves(model))
        {
            return;
        }

        await RefreshAsync(force: true, cancellationToken);
        if (fleet.Serves(model))
        {
            return;
        }

        IReadOnlyList<ModelInfo> models = fleet.Models();
        throw models.Count == 0 || models.Any(known => known.Id == model)
            ? new GenerationException(
                GenerationErrorKind.Unavailable, "No worker is there to serve the request; start one, or try again when it has loaded its model.", null, "no_worker")
            {
                RetryAfter = TimeSpan.FromSeconds(5),
            }
            : new GenerationException(
                GenerationErrorKind.ModelNotFound,
                $"The model '{model}' does not exist; this server has {string.Join(", ", models.Select(known => $"'{known.Id}'"))}.",
                "model",
                "model_not_found");
    }

    /// <summary>Takes a place among the open requests; counted before compared, so that none is too many however many come at once.</summary>
    private void Enter()
    {
        if (Interlocked.Increment(ref _open) <= options.MaxOpenRequests)
        {
            return;
        }

        Leave();
        Interlocked.Increment(ref counters.Refused);
        throw new GenerationException(
            GenerationErrorKind.Overloaded,
            $"{options.MaxOpenRequests} requests are open and this gateway handles no more; try again in a moment, or raise Gateway:MaxOpenRequests.",
            null,
            "gateway_full")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };
    }

    private void Leave() => Interlocked.Decrement(ref _open);

    private async Task RefreshAsync(bool force, CancellationToken cancellationToken)
    {
        try
        {
            await fleet.RefreshAsync(force, cancellationToken);
        }
        catch (RedisException e)
        {
            throw RequestQueue.QueueUnavailable(e);
        }
    }

    private static ulong RandomSeed() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
}
