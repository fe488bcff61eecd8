namespace Fastgen.Services.Tests;

/// <summary>Waits for what must come about, however slow the machine is; only a test that fails waits for the whole limit.</summary>
internal static class Eventually
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Looks until what is seen is good, and returns it.</summary>
    public static async Task<T> SeeAsync<T>(Func<Task<T>> look, Func<T, bool> good)
    {
        long end = Environment.TickCount64 + (long)Limit.TotalMilliseconds;
        while (true)
        {
            T seen = await look();
            if (good(seen))
            {
                return seen;
            }

            Assert.True(Environment.TickCount64 < end, $"Not so within {Limit.TotalSeconds} s; last seen: {seen}");
            await Task.Delay(Pause);
        }
    }

    public static Task<T> SeeAsync<T>(Func<T> look, Func<T, bool> good) => SeeAsync(() => Task.FromResult(look()), good);

    public static Task BeTrueAsync(Func<bool> condition) => SeeAsync(condition, isTrue => isTrue);

    public static Task BeTrueAsync(Func<Task<bool>> condition) => SeeAsync(condition, isTrue => isTrue);

    /// <summary>Tries until it works, as long as it fails in the way that is expected meanwhile.</summary>
    public static async Task<T> SucceedAsync<T, TFailure>(Func<Task<T>> attempt)
        where TFailure : Exception
    {
        long end = Environment.TickCount64 + (long)Limit.TotalMilliseconds;
        while (true)
        {
            try
            {
                return await attempt();
            }
            catch (TFailure) when (Environment.TickCount64 < end)
            {
                await Task.Delay(Pause);
            }
        }
    }
}
