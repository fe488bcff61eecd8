using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.Engine;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Serving;

namespace Fastgen.InferenceWorker;

/// <summary>The life of a worker: load, pull until told to stop, finish or hand back, sign off.</summary>
internal sealed class WorkerService(
    RedisClient redis,
    RequestPuller puller,
    RequestRunner runner,
    RunningRequests requests,
    ReplyStreams replies,
    FairShare share,
    Heartbeat heartbeat,
    WorkerState state,
    WorkerOptions options,
    WorkerIdentity identity,
    IHostApplicationLifetime lifetime,
    ILogger<WorkerService> logger) : BackgroundService
{
    private const int FailedExitCode = 1;

    private static readonly TimeSpan WriteLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan FaultCheckInterval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LlmEngine? engine = await TryLoadAsync(stoppingToken);
        if (engine is null)
        {
            return;
        }

        await using (engine)
        {
            var service = new EngineGenerationService(engine, new EngineServiceOptions { ModelNames = [options.ModelName] });
            var model = new LoadedModel(options.ModelName, engine, service, DateTimeOffset.UtcNow.ToUnixTimeSeconds());
            state.Model = model;
            logger.LogInformation("Worker {Worker} serves {Model}, up to {Context} tokens of context", identity.Id, model.Name, engine.MaxContextTokens);
            await ServeAsync(model, stoppingToken);
        }
    }

    private async Task<LlmEngine?> TryLoadAsync(CancellationToken stopping)
    {
        try
        {
            return await LlmEngine.LoadAsync(options.ModelPath, options.Engine with { Report = message => logger.LogInformation("{Message}", message) }, cancellationToken: stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception e)
        {
            logger.LogCritical(e, "The model {Path} cannot be loaded", options.ModelPath);
            Environment.ExitCode = FailedExitCode;
            lifetime.StopApplication();
            return null;
        }
    }

    private async Task ServeAsync(LoadedModel model, CancellationToken stopping)
    {
        await using RedisSubscription cancellations = await SubscribeAsync(stopping);
        using var beating = new CancellationTokenSource();
        using var pump = new ReplyPump(model.Service, runner, replies, options.ReplyIntervalMs);
        Task beats = heartbeat.RunAsync(model, beating.Token);
        Task faults = WatchForFaultAsync(model, stopping);
        await puller.RunAsync(model, pump, stopping);
        await DrainAsync(model);
        await beating.CancelAsync();
        await beats.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await faults.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await heartbeat.SignOffAsync();
    }

    private async Task<RedisSubscription> SubscribeAsync(CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                return await redis.SubscribeAsync(
                    [RedisKeys.CancelChannel],
                    message =>
                    {
                        if (CancelMessage.TryParse(message.Payload.Span, out CancelMessage cancel))
                        {
                            requests.Cancel(cancel);
                        }
                    },
                    cancellationToken: stopping);
            }
            catch (RedisException e)
            {
                logger.LogWarning("Cancellations cannot be heard: {Message}", e.Message);
                await Task.Delay(FaultCheckInterval, stopping);
            }
        }
    }

    /// <summary>An engine that has given up does not recover, but a new process may.</summary>
    private async Task WatchForFaultAsync(LoadedModel model, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(FaultCheckInterval);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            if (model.Engine.Statistics.IsFaulted)
            {
                logger.LogCritical("The engine has failed for good; the worker ends so that it can be started anew");
                Environment.ExitCode = FailedExitCode;
                lifetime.StopApplication();
                return;
            }
        }
    }

    private async Task DrainAsync(LoadedModel model)
    {
        state.IsDraining = true;
        await SignOffFromShareAsync();
        long end = Environment.TickCount64 + (model.Engine.Statistics.IsFaulted ? 0 : options.DrainSeconds * 1000L);
        if (requests.Count > 0)
        {
            logger.LogInformation("{Count} requests are finished within {Seconds} s or handed back", requests.Count, options.DrainSeconds);
        }

        while (requests.Count > 0 && Environment.TickCount64 < end)
        {
            await Task.Delay(20);
        }

        foreach (RunningRequest request in requests.All)
        {
            request.Stop(StopReason.HandedBack);
            // At once: a step of the engine may take longer than there is time.
            if (request.StopReason == StopReason.HandedBack)
            {
                runner.End(request);
            }
        }

        await HandBackUnstartedAsync(model);
        await replies.WaitUntilIdleAsync(WriteLimit);
        long limit = Environment.TickCount64 + (long)WriteLimit.TotalMilliseconds;
        while (requests.Count > 0 && Environment.TickCount64 < limit)
        {
            await Task.Delay(10);
        }
    }

    private async Task SignOffFromShareAsync()
    {
        try
        {
            await share.SignOffAsync();
        }
        catch (RedisException e)
        {
            logger.LogWarning("The worker could not leave the others its share at once: {Message}", e.Message);
        }
    }

    /// <summary>Cancelling a read that was just being answered leaves entries that nobody runs.</summary>
    private async Task HandBackUnstartedAsync(LoadedModel model)
    {
        try
        {
            foreach (string stream in model.RequestStreams)
            {
                HashSet<string> running = [.. requests.All.Select(request => request.EntryId)];
                foreach (RedisPendingEntry pending in await redis.XPendingAsync(stream, RedisKeys.WorkerGroup, options.Engine.MaxRunningSequences, identity.Id))
                {
                    if (!running.Contains(pending.Id))
                    {
                        await runner.HandBackAsync(stream, pending.Id);
                    }
                }
            }
        }
        catch (RedisException e)
        {
            logger.LogWarning("What was not begun could not be handed back: {Message}", e.Message);
        }
    }
}
