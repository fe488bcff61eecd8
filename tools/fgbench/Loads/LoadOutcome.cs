using System.Globalization;
using System.Text.Json.Nodes;

namespace Fastgen.Tools.FgBench.Loads;

/// <summary>What a run of <see cref="EngineLoad"/> gave.</summary>
internal sealed record LoadOutcome
{
    public required EngineLoad Load { get; init; }

    /// <summary>From the first arrival to the last token.</summary>
    public required double Seconds { get; init; }

    /// <summary>What the engine counted meanwhile.</summary>
    public required EngineWork Work { get; init; }

    /// <summary>Runs of the load that this is over.</summary>
    public int Runs { get; private init; } = 1;

    /// <summary>For each request the time from its arrival to its first token.</summary>
    public required IReadOnlyList<double> AllFirstMs
    {
        get;
        init
        {
            field = value;
            FirstMs = Percentiles.Of(value);
        }
    }

    /// <summary>Every time between two tokens of a request.</summary>
    public required IReadOnlyList<double> AllBetweenMs
    {
        get;
        init
        {
            field = value;
            BetweenMs = Percentiles.Of(value);
        }
    }

    public Percentiles FirstMs { get; private init; }

    public Percentiles BetweenMs { get; private init; }

    public double GeneratedTokensPerSecond => (double)Runs * Load.Requests * Load.DecodeTokens / Seconds;

    public double TotalTokensPerSecond => (double)Runs * Load.Requests * (Load.PromptTokens + Load.DecodeTokens) / Seconds;

    /// <summary>The pace of steps that only decode: all requests get a token in the median time.</summary>
    public double DecodeTokensPerSecond => BetweenMs.P50 > 0 ? Load.Requests * 1e3 / BetweenMs.P50 : 0;

    /// <summary>Several runs of one load as if they were one.</summary>
    public static LoadOutcome Join(IReadOnlyList<LoadOutcome> outcomes) => new()
    {
        Load = outcomes[0].Load,
        Runs = outcomes.Count,
        Seconds = outcomes.Sum(outcome => outcome.Seconds),
        Work = new EngineWork(outcomes.Sum(o => o.Work.Steps), outcomes.Sum(o => o.Work.Preemptions), outcomes.Sum(o => o.Work.BusyMs), outcomes.Sum(o => o.Work.GapMs)),
        AllFirstMs = [.. outcomes.SelectMany(outcome => outcome.AllFirstMs)],
        AllBetweenMs = [.. outcomes.SelectMany(outcome => outcome.AllBetweenMs)],
    };

    /// <summary>The latencies and the host's gap, for people.</summary>
    public string Latencies => string.Create(CultureInfo.InvariantCulture,
        $"first token p50 {FirstMs.P50:N0} p90 {FirstMs.P90:N0} p99 {FirstMs.P99:N0} ms; between tokens p50 {BetweenMs.P50:F2} p90 {BetweenMs.P90:F2} p99 {BetweenMs.P99:F2} ms; gap {Work.GapShare:P1} ({Work.GapUsPerStep:F0} us a step)");

    /// <summary>The figures as a row of JSON.</summary>
    public void WriteTo(JsonObject row)
    {
        row["requests"] = Load.Requests;
        row["prompt"] = Load.PromptTokens;
        row["decode"] = Load.DecodeTokens;
        row["temperature"] = Load.Temperature;
        row["topP"] = Load.TopP;
        row["ratePerSecond"] = Load.RatePerSecond;
        row["seed"] = Load.Seed;
        row["generatedTokensPerSecond"] = GeneratedTokensPerSecond;
        row["totalTokensPerSecond"] = TotalTokensPerSecond;
        row["decodeTokensPerSecond"] = DecodeTokensPerSecond;
        row["seconds"] = Seconds;
        row["steps"] = Work.Steps;
        row["preemptions"] = Work.Preemptions;
        row["gapShare"] = Work.GapShare;
        row["gapUsPerStep"] = Work.GapUsPerStep;
        row["firstTokenMsP50"] = FirstMs.P50;
        row["firstTokenMsP90"] = FirstMs.P90;
        row["firstTokenMsP99"] = FirstMs.P99;
        row["betweenTokensMsP50"] = BetweenMs.P50;
        row["betweenTokensMsP90"] = BetweenMs.P90;
        row["betweenTokensMsP99"] = BetweenMs.P99;
        row["betweenTokensMsMax"] = BetweenMs.Max;
    }
}
