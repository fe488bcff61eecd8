using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Fastgen.Contracts;
using Fastgen.OpenAI.Requests;
using Fastgen.OpenAI.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Fastgen.Services.Tests.OpenAI;

public sealed class StreamedAnswerTests
{
    /// <summary>Bursts of events that are ready at once; each but the first comes when the one before it was sent.</summary>
    private sealed class BurstService(int bursts, int eventsPerBurst, CountingWriter writer) : IGenerationService
    {
        public ValueTask<IReadOnlyList<ModelInfo>> ListModelsAsync(CancellationToken cancellationToken) => new(Array.Empty<ModelInfo>());

        public async IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            for (int burst = 0; burst < bursts; burst++)
            {
                int sent = burst;
                await Eventually.BeTrueAsync(() => writer.Flushes >= sent);
                for (int i = 0; i < eventsPerBurst; i++)
                {
                    bool last = burst == bursts - 1 && i == eventsPerBurst - 1;
                    yield return new GenerationEvent
                    {
                        Text = "x",
                        FinishReason = last ? FinishReason.Stop : null,
                        Usage = last ? new GenerationUsage(1, 1, 0) : null,
                    };
                }
            }
        }
    }

    /// <summary>Counts what a server would send as writes to the socket.</summary>
    private sealed class CountingWriter(Stream stream) : PipeWriter
    {
        private readonly PipeWriter _inner = Create(stream);
        private int _flushes;

        public int Flushes => Volatile.Read(ref _flushes);

        public override bool CanGetUnflushedBytes => true;

        public override long UnflushedBytes => _inner.UnflushedBytes;

        public override void Advance(int bytes) => _inner.Advance(bytes);

        public override void CancelPendingFlush() => _inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => _inner.Complete(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _flushes);
            return _inner.FlushAsync(cancellationToken);
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => _inner.GetSpan(sizeHint);
    }

    private sealed class Body(CountingWriter writer) : IHttpResponseBodyFeature
    {
        public Stream Stream => Stream.Null;

        public PipeWriter Writer => writer;

        public Task CompleteAsync() => Task.CompletedTask;

        public void DisableBuffering()
        {
        }

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;
    }

    [Fact]
    public async Task A_burst_of_events_is_one_flush()
    {
        const int Bursts = 10;
        const int EventsPerBurst = 20;
        using var sent = new MemoryStream();
        var writer = new CountingWriter(sent);
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseBodyFeature>(new Body(writer));
        var generation = new GenerationRequest { Id = "r", Model = "m", PromptText = "" };
        var request = new ApiRequest(ApiKind.Completion, "r", 1, "m", [generation], 1, Stream: true, IncludeUsage: false, Echo: null);

        await StreamedAnswer.WriteAsync(context, new BurstService(Bursts, EventsPerBurst, writer), request, 0, e => throw e);

        Assert.Equal(Bursts * EventsPerBurst, Encoding.UTF8.GetString(sent.ToArray()).Split("\"text\":\"x\"").Length - 1);
        Assert.InRange(writer.Flushes, Bursts, Bursts + 1);
    }
}
