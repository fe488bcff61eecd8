using System.Text.Json.Nodes;
using Fastgen.Engine;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgBench;

/// <summary>Begins rows of JSON about an engine in this process.</summary>
internal static class BenchRows
{
    public static JsonObject Start(string bench, string model, LlmEngine engine, EngineOptions options)
    {
        var row = new JsonObject
        {
            ["bench"] = bench,
            ["model"] = ModelLoading.DisplayName(model),
            ["device"] = engine.DeviceName,
            ["maxBatch"] = options.MaxRunningSequences,
            ["maxStepTokens"] = engine.LoadReport?.StepTokens,
            ["promptsFirst"] = options.PromptsFirst,
            ["graphs"] = options.CudaGraphs,
        };
        if (engine.LoadReport is { } report)
        {
            row["weightSeconds"] = report.WeightSeconds;
            row["weightBytes"] = report.WeightBytes;
            row["kvCacheBytes"] = report.KvCacheBytes;
            row["kvCacheTokens"] = report.KvCacheTokens;
            row["activationBytes"] = report.Device?.ActivationBytes;
            // What graphs and other late comers took is the difference.
            row["deviceFreeBytesAfterLoad"] = report.Device?.FreeBytes;
            row["deviceFreeBytes"] = engine.FreeDeviceBytes();
        }

        return row;
    }
}
