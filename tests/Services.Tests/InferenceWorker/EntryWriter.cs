using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Services.Tests.Fleet;

namespace Fastgen.Services.Tests.InferenceWorker;

/// <summary>Stands in a gateway's place: writes entries into the worker's stream, also such as no gateway writes, and reads the replies.</summary>
internal sealed class EntryWriter(RedisClient redis)
{
    public const string GatewayId = "gateway-of-the-test";

    public static string Stream => RedisKeys.Requests(TestFleet.Model, PriorityClass.Normal);

    /// <summary>Workers drop what is for gateways without a reply stream.</summary>
    public async Task OpenAsync() => await redis.XAddAsync(RedisKeys.Replies(GatewayId), ["created", "1"]);

    public async Task<string> WriteAsync(params RedisArg[] fields) => (await redis.XAddAsync(Stream, fields))!;

    public Task<string> SubmitAsync(long ticket, RedisArg body) =>
        WriteAsync(RequestFields.Gateway, GatewayId, RequestFields.Ticket, ticket, RequestFields.Body, body);

    public Task<string> SubmitAsync(long ticket, GenerationRequest request) =>
        SubmitAsync(ticket, JsonSerializer.SerializeToUtf8Bytes(request, ContractsJson.Default.GenerationRequest));

    public static GenerationRequest Request(int tokens, int choices = 1) => new()
    {
        Id = "r",
        Model = TestFleet.Model,
        PromptText = "Hello",
        Choices = choices,
        Sampling = new GenerationSampling { MaxTokens = tokens, IgnoreEos = true, Seed = 1 },
    };

    /// <summary>All that workers have said of a ticket, once they have said the last of it.</summary>
    public Task<List<ReplyItem>> RepliesAsync(long ticket) => Eventually.SeeAsync(
        async () => (await ReadAsync()).FindAll(item => item.Ticket == ticket),
        items => items.Exists(item => item.Failure is not null || item.Release is not null || item.Event?.Usage is not null));

    private async Task<List<ReplyItem>> ReadAsync()
    {
        var items = new List<ReplyItem>();
        foreach (RedisStreamBatch batch in await redis.XReadAsync(100_000, [new RedisStreamOffset(RedisKeys.Replies(GatewayId), "0")]))
        {
            foreach (RedisStreamEntry entry in batch.Entries)
            {
                if (entry.TryGet("replies"u8, out ReadOnlyMemory<byte> content))
                {
                    var reader = new ReplyReader(content.Span);
                    while (reader.TryRead(out ReplyItem item))
                    {
                        items.Add(item);
                    }
                }
            }
        }

        return items;
    }
}
