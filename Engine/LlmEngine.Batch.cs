using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Fastgen.Engine;

/// <content>Batch use: many requests, completions as they finish.</content>
public sealed partial class LlmEngine
{
    /// <summary>Generates for any number of requests, which are pulled as there is room.</summary>
    /// <inheritdoc cref="GenerateAsync(IAsyncEnumerable{EngineRequest}, CancellationToken)"/>
    public IAsyncEnumerable<Completion> GenerateAsync(IEnumerable<EngineRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        return GenerateAsync(Pull(requests), cancellationToken);

        // Pulled on demand, one at a time, as an asynchronous source is.
        static async IAsyncEnumerable<EngineRequest> Pull(IEnumerable<EngineRequest> requests)
        {
            foreach (EngineRequest request in requests)
            {
                yield return request;
            }

            await Task.CompletedTask;
        }
    }

    /// <summary>Generates for any number of requests, which are pulled as there is room.</summary>
    /// <remarks>Twice as many requests as may run are in flight or finished and not taken, so memory is bounded however
    /// many there are. Requests of other callers run along; the bound of the waiting queue does not apply to these.</remarks>
    /// <returns>Completions in the order in which they finish. One that is wrong comes back with <see cref="Completion.Error"/> set and ends nothing else.</returns>
    public async IAsyncEnumerable<Completion> GenerateAsync(IAsyncEnumerable<EngineRequest> requests, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Channel<Completion> finished = Channel.CreateUnbounded<Completion>();
        IAsyncEnumerator<EngineRequest> source = requests.GetAsyncEnumerator(stop.Token);
        int window = 2 * _options.MaxRunningSequences;
        int inFlight = 0;
        int index = 0;
        Task<bool>? pull = null;
        Task<bool>? ready = null;
        bool more = true;
        try
        {
            while (more || inFlight > 0)
            {
                if (more && pull is null && inFlight < window)
                {
                    pull = source.MoveNextAsync().AsTask();
                }

                if (pull is { IsCompleted: true })
                {
                    more = await pull;
                    pull = null;
                    if (more)
                    {
                        inFlight++;
                        _ = CompleteAsync(source.Current, index++, finished.Writer, stop.Token);
                    }

                    continue;
                }

                if (finished.Reader.TryRead(out Completion? completion))
                {
                    inFlight--;
                    yield return completion;
                    continue;
                }

                ready ??= finished.Reader.WaitToReadAsync(cancellationToken).AsTask();
                await (pull is null ? ready : await Task.WhenAny(pull, ready));
                ready = ready.IsCompleted ? null : ready;
            }
        }
        finally
        {
            await stop.CancelAsync();
            if (pull is not null)
            {
                // The source must not be disposed while it is being asked; its answer is of no use any more.
                await pull.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }

            await source.DisposeAsync();
        }
    }

    /// <summary>Runs one request of a batch. Never fails: the channel's reader waits for as many completions as were started.</summary>
    private async Task CompleteAsync(EngineRequest request, int index, ChannelWriter<Completion> finished, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            finished.TryWrite(await RunAsync(request, index, cancellationToken));
        }
        catch (Exception exception)
        {
            finished.TryWrite(new Completion { Request = request, RequestIndex = index, Error = exception.Message });
        }
    }

    private async Task<Completion> RunAsync(EngineRequest request, int index, CancellationToken cancellationToken)
    {
        if (request.Resumed is not null)
        {
            throw WrongResumption("Resumed choices are for streamed requests, since a completion is a whole; use StreamAsync, or leave Resumed out.");
        }

        PreparedRequest prepared = Prepare(request, announceTokens: false);
        _loop.Submit(prepared.Scheduled, countsAsWaiting: false);
        await using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(_ => _loop.Abort(prepared.Scheduled), null);
        await prepared.Output.WaitAsync();
        var choices = new CompletionChoice[request.N];
        int tokens = 0;
        for (int choice = 0; choice < choices.Length; choice++)
        {
            EngineDelta all = prepared.Take(choice)!;
            tokens += all.CompletionTokens;
            choices[choice] = new CompletionChoice
            {
                Text = all.Text,
                TokenIds = all.TokenIds,
                Logprobs = all.Logprobs,
                FinishReason = all.FinishReason!.Value,
                Error = all.Error,
            };
        }

        return new Completion
        {
            Request = request,
            RequestIndex = index,
            Choices = choices,
            PromptTokens = prepared.Scheduled.Prompt.Length,
            CompletionTokens = tokens,
            CachedTokens = prepared.Scheduled.CachedTokens,
        };
    }
}
