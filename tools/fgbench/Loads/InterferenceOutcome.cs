using System.Text.Json.Nodes;

namespace Fastgen.Tools.FgBench.Loads;

/// <summary>What <see cref="InterferenceLoad"/> measured.</summary>
/// <param name="BeforeMs">Between tokens of the streams, before the first long prompt.</param>
/// <param name="DuringMs">While a long prompt was on its way to its first token.</param>
/// <param name="AfterMs">Once it had it.</param>
/// <param name="LongFirstMs">The long prompts' times to first token.</param>
/// <param name="LongAloneFirstMs">The same with no stream beside it.</param>
internal sealed record InterferenceOutcome(Percentiles BeforeMs, Percentiles DuringMs, Percentiles AfterMs, Percentiles LongFirstMs, double LongAloneFirstMs)
{
    public void WriteTo(JsonObject row, InterferenceLoad load)
    {
        row["streams"] = load.Streams;
        row["prompt"] = load.PromptTokens;
        row["longPrompt"] = load.LongPromptTokens;
        row["repeat"] = load.Repeat;
        row["seed"] = load.Seed;
        row["longFirstTokenMsP50"] = LongFirstMs.P50;
        row["longFirstTokenMsMax"] = LongFirstMs.Max;
        row["longAloneFirstTokenMs"] = LongAloneFirstMs;
        foreach ((string name, Percentiles ms) in new[] { ("before", BeforeMs), ("during", DuringMs), ("after", AfterMs) })
        {
            row[name + "MsP50"] = ms.P50;
            row[name + "MsP90"] = ms.P90;
            row[name + "MsP99"] = ms.P99;
            row[name + "MsMax"] = ms.Max;
            row[name + "Count"] = ms.Count;
        }
    }
}
