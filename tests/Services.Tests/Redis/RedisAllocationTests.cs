using System.Diagnostics;
using System.Text;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

[Collection(RunsAlone.Name)]
public sealed class RedisAllocationTests
{
    [Fact]
    public async Task Pipelined_sets_allocate_nothing()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options);
        byte[] value = Encoding.UTF8.GetBytes(new string('v', 100));
        var calls = new ValueTask<RespValue>[1000];
        long least = long.MaxValue;
        var watch = Stopwatch.StartNew();
        // All threads are counted and code is compiled anew as it is used, hence the best of the rounds; a byte per call is far below one object.
        while (least >= calls.Length && watch.Elapsed < Eventually.Limit)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < calls.Length; i++)
            {
#pragma warning disable CA2012 // stored to be awaited once each below: a task per call would be an allocation
                calls[i] = redis.ExecuteAsync("SET", "key", value, "EX", 100);
#pragma warning restore CA2012
            }

            for (int i = 0; i < calls.Length; i++)
            {
                await calls[i];
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.True(least < calls.Length, $"1000 SET calls allocated {least} bytes.");
    }
}
