using Fastgen.Tools.FgBench.Loads;

namespace Fastgen.Services.Tests.Tools.FgBench;

public sealed class InterferenceTests
{
    [Fact]
    public void Times_between_tokens_go_where_a_long_prompt_touches_them()
    {
        // Two prompts: from 100 to 200 and from 300 to 350. What begins before 20 is warming up.
        double[] first = [0, 10, 25, 30, 96, 150, 190, 210, 216, 290, 340, 360, 366];
        double[] second = [21, 99, 101];

        InterferenceOutcome outcome = InterferenceLoad.Evaluate([first, second], begin: 20, [(100, 200), (300, 350)], alone: 40);

        // 25-30, 30-96 and 21-99.
        Assert.Equal((3, 78.0), (outcome.BeforeMs.Count, outcome.BeforeMs.Max));
        // 96-150, 150-190, 190-210, 290-340, 340-360, and 99-101, which straddles the arrival.
        Assert.Equal((6, 54.0), (outcome.DuringMs.Count, outcome.DuringMs.Max));
        // 210-216, 216-290, 360-366: once the first prompt was done.
        Assert.Equal((3, 74.0), (outcome.AfterMs.Count, outcome.AfterMs.Max));
        Assert.Equal((50.0, 100.0), (outcome.LongFirstMs.P50, outcome.LongFirstMs.Max));
        Assert.Equal(40, outcome.LongAloneFirstMs);
    }

    [Fact]
    public async Task Waiting_ends_when_the_slowest_stream_has_its_tokens()
    {
        var times = new StreamTokenTimes(2);
        times.Add(0, 1);
        Task wait = times.WaitForAsync(2, new TaskCompletionSource().Task, TestContext.Current.CancellationToken);
        times.Add(0, 2);
        times.Add(0, 3);
        times.Add(0, 4);
        times.Add(1, 5);
        Assert.False(wait.IsCompleted);
        times.Add(1, 6);

        await wait.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_stream_that_fails_ends_the_wait()
    {
        var times = new StreamTokenTimes(1);

        await Assert.ThrowsAsync<InvalidOperationException>(() => times.WaitForAsync(1, Task.FromException(new InvalidOperationException("gone")), TestContext.Current.CancellationToken));
    }
}
