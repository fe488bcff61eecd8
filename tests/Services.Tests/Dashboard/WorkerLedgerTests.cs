using Fastgen.Contracts;
using Fastgen.Dashboard.Observation;

namespace Fastgen.Services.Tests.Dashboard;

public sealed class WorkerLedgerTests
{
    private static readonly DateTimeOffset Start = new(2026, 5, 4, 3, 2, 1, TimeSpan.Zero);
    private readonly WorkerLedger _ledger = new();

    [Fact]
    public void A_worker_whose_clock_is_years_off_is_ready_while_its_heartbeat_changes()
    {
        for (var second = 0; second < 20; second++)
        {
            _ledger.Read([Status("a", atUnixMs: second * 1000)], Start.AddSeconds(second));
            Assert.Equal(WorkerState.Ready, Only(second).State);
        }
    }

    [Fact]
    public void A_heartbeat_that_stays_the_same_is_silent_after_six_seconds_and_its_rates_count_no_more()
    {
        _ledger.Read([Status("a", 5) with { GeneratedTokensPerSecond = 80 }], Start);
        _ledger.Read([Status("a", 5) with { GeneratedTokensPerSecond = 80 }], Start.AddSeconds(6));
        Assert.Equal(WorkerState.Ready, Only(6).State);
        Assert.Equal(80, Only(6).GeneratedTokensPerSecond);
        Assert.Equal(WorkerState.Silent, Only(7).State);
        Assert.Equal(7, Only(7).SilentSeconds);
        Assert.Equal(0, Only(7).GeneratedTokensPerSecond);
        _ledger.Read([Status("a", 6)], Start.AddSeconds(8));
        Assert.Equal(WorkerState.Ready, Only(8).State);
    }

    [Fact]
    public void A_worker_that_went_away_is_shown_for_a_minute()
    {
        _ledger.Read([Status("a", 1), Status("b", 1)], Start);
        _ledger.Read([Status("b", 2)], Start.AddSeconds(60));
        Assert.Equal([("a", WorkerState.Gone), ("b", WorkerState.Ready)], _ledger.Views(Start.AddSeconds(60)).Select(view => (view.Status.Id, view.State)));
        _ledger.Read([Status("b", 3)], Start.AddSeconds(61));
        Assert.Equal("b", Only(61).Status.Id);
    }

    [Fact]
    public void What_a_worker_says_of_itself_is_its_state_and_a_fault_weighs_more_than_an_end()
    {
        _ledger.Read([Status("a", 1) with { IsDraining = true }], Start);
        Assert.Equal(WorkerState.Draining, Only(0).State);
        _ledger.Read([Status("a", 2) with { IsDraining = true, IsFaulted = true }], Start);
        Assert.Equal(WorkerState.Faulted, Only(0).State);
    }

    [Fact]
    public void A_rate_that_is_no_number_counts_as_none()
    {
        _ledger.Read([Status("a", 1) with { GeneratedTokensPerSecond = double.NaN, PromptTokensPerSecond = double.PositiveInfinity }], Start);
        Assert.Equal(0, Only(0).GeneratedTokensPerSecond);
        Assert.Equal(0, Only(0).PromptTokensPerSecond);
    }

    private static WorkerStatus Status(string id, long atUnixMs) => new() { Id = id, Model = "demo", AtUnixMs = atUnixMs };

    private WorkerView Only(int second) => Assert.Single(_ledger.Views(Start.AddSeconds(second)));
}
