using System.IO.Pipelines;
using Fastgen.Contracts;
using Fastgen.OpenAI.Requests;
using Microsoft.AspNetCore.Http;

namespace Fastgen.OpenAI.Responses;

/// <summary>Answers with server-sent events.</summary>
internal static class StreamedAnswer
{
    /// <summary>Written bytes after which a burst is sent even though more is ready.</summary>
    private const int FlushBytes = 16 << 10;

    /// <summary>Streams until the generation ends, fails or the client goes.</summary>
    /// <exception cref="ApiException">Before the first byte only; later failures become an error event.</exception>
    public static async Task WriteAsync(
        HttpContext context,
        IGenerationService service,
        ApiRequest request,
        long startTimestamp,
        Func<Exception, ApiException> toApiException)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        await using IAsyncEnumerator<GenerationEvent> events =
            MergedGeneration.Start(service, request.Generations, stop.Token).GetAsyncEnumerator(stop.Token);

        // Until the first event is there, a refusal can still be a proper HTTP error.
        bool more = await events.MoveNextAsync();
        if (more)
        {
            GenerationFailure.ThrowIfFailed(events.Current);
        }

        HttpResponse response = context.Response;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        // Proxies of the nginx family would hold the events back.
        response.Headers["X-Accel-Buffering"] = "no";
        ProcessingTime.Write(response, startTimestamp);
        PipeWriter body = response.BodyWriter;
        var chunks = new ChunkWriter(request);
        for (int choice = 0; choice < request.TotalChoices; choice++)
        {
            chunks.WriteStart(body, choice, request.Echo?[choice / request.Choices]);
        }

        try
        {
            GenerationUsage? usage = await PumpAsync(body, chunks, events, more, stop);
            if (usage is not null)
            {
                chunks.WriteUsage(body, usage);
            }
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
        {
            ChunkWriter.WriteError(body, toApiException(e));
        }

        ChunkWriter.WriteDone(body);
        await body.FlushAsync(context.RequestAborted);
    }

    private static async Task<GenerationUsage?> PumpAsync(
        PipeWriter body,
        ChunkWriter chunks,
        IAsyncEnumerator<GenerationEvent> events,
        bool more,
        CancellationTokenSource stop)
    {
        GenerationUsage? usage = null;
        while (more)
        {
            GenerationEvent news = events.Current;
            GenerationFailure.ThrowIfFailed(news);
            chunks.WriteDelta(body, news);
            usage = news.Usage ?? usage;

            // All that is ready goes out in one write; the client waits only while there is nothing to send.
            ValueTask<bool> next = events.MoveNextAsync();
            if (!next.IsCompleted || body.UnflushedBytes >= FlushBytes)
            {
                try
                {
                    await body.FlushAsync(stop.Token);
                }
                catch
                {
                    // An enumerator must not be disposed while it moves.
                    await stop.CancelAsync();
                    await ((Task)next.AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    throw;
                }
            }

            more = await next;
        }

        return usage;
    }
}
