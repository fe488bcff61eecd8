using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fastgen.Contracts;

namespace Fastgen.OpenAI.Responses;

/// <summary>Runs the generations of a request together and makes one sequence of events of them.</summary>
internal static class MergedGeneration
{
    private const int BufferedEvents = 256;

    /// <summary>Events of all prompts, choices numbered through; the last one carries the summed usage.</summary>
    public static IAsyncEnumerable<GenerationEvent> Start(
        IGenerationService service,
        IReadOnlyList<GenerationRequest> generations,
        CancellationToken cancellationToken) =>
        generations.Count == 1
            ? service.GenerateAsync(generations[0], cancellationToken)
            : MergeAsync(service, generations, cancellationToken);

    private static async IAsyncEnumerable<GenerationEvent> MergeAsync(
        IGenerationService service,
        IReadOnlyList<GenerationRequest> generations,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var channel = Channel.CreateBounded<GenerationEvent>(new BoundedChannelOptions(BufferedEvents) { SingleReader = true });
        var pumps = new Task[generations.Count];
        int running = pumps.Length;
        try
        {
            for (int i = 0; i < pumps.Length; i++)
            {
                pumps[i] = PumpAsync(service, generations[i], i * generations[i].Choices, channel.Writer, stop.Token);
                // A prompt that is refused at once is an HTTP error, even when others have begun.
                if (pumps[i].IsFaulted)
                {
                    await pumps[i];
                }
            }

            var total = new GenerationUsage(0, 0, 0);
            await foreach (GenerationEvent news in channel.Reader.ReadAllAsync(cancellationToken))
            {
                if (news.Usage is not { } usage)
                {
                    yield return news;
                    continue;
                }

                total = new GenerationUsage(
                    total.PromptTokens + usage.PromptTokens,
                    total.CompletionTokens + usage.CompletionTokens,
                    total.CachedTokens + usage.CachedTokens);
                running--;
                yield return news with { Usage = running == 0 ? total : null };
                if (running == 0)
                {
                    break;
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            foreach (Task pump in pumps)
            {
                // The first failure went through the channel; what cancelling makes of the others is of no interest.
                await (pump ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static async Task PumpAsync(
        IGenerationService service,
        GenerationRequest generation,
        int firstChoice,
        ChannelWriter<GenerationEvent> target,
        CancellationToken cancellationToken)
    {
        try
        {
            await foreach (GenerationEvent news in service.GenerateAsync(generation, cancellationToken))
            {
                await target.WriteAsync(firstChoice == 0 ? news : news with { Choice = news.Choice + firstChoice }, cancellationToken);
            }
        }
        catch (Exception e)
        {
            target.TryComplete(e);
            throw;
        }
    }
}
