using Fastgen.Engine;

namespace Fastgen.InferenceWorker;

/// <summary>Settings of a worker.</summary>
internal sealed record WorkerOptions
{
    private const int FallbackRunningSequences = 256;
    private const int FallbackReplyIntervalMs = 20;
    private const int MaxReplyIntervalMs = 1000;

    // A worker that lives reads every few seconds; this leaves room for one that was stopped in a debugger.
    private const int FallbackForgetAfterMs = 300_000;
    private const int MinForgetAfterMs = 3000;

    /// <summary><c>Model:Path</c>: a folder, or a repository id in the local HuggingFace cache.</summary>
    public required string ModelPath { get; init; }

    /// <summary><c>Model:Name</c>: what requests call the model; by default the last part of the path.</summary>
    public required string ModelName { get; init; }

    public required EngineOptions Engine { get; init; }

    /// <summary><c>Worker:HeartbeatMs</c>: how often the worker says that it lives.</summary>
    public int HeartbeatMs { get; init; } = 1000;

    /// <summary><c>Worker:DeadAfterMs</c>: a worker that has been silent for so long counts as dead, and others take its requests.</summary>
    public int DeadAfterMs { get; init; } = 5000;

    /// <summary><c>Worker:ForgetAfterMs</c>: after so long without a word the name of a dead worker leaves the consumer group, and a worker forgets a gateway.</summary>
    public int ForgetAfterMs { get; init; } = FallbackForgetAfterMs;

    /// <summary><c>Worker:MaxReplyEntries</c>: length to which reply streams are trimmed; more than a gateway can be late.</summary>
    public int MaxReplyEntries { get; init; } = 8192;

    /// <summary><c>Worker:ReplyIntervalMs</c>: tokens of so many milliseconds travel together; a first token and an end never wait. 0 sends every step by itself.</summary>
    public int ReplyIntervalMs { get; init; } = FallbackReplyIntervalMs;

    /// <summary><c>Worker:DrainSeconds</c>: how long a worker that is told to stop works on before it hands back what is left.</summary>
    public int DrainSeconds { get; init; } = 15;

    /// <exception cref="InvalidOperationException">A setting is missing or cannot be.</exception>
    public static WorkerOptions Read(IConfiguration configuration)
    {
        string path = configuration["Model:Path"] is { Length: > 0 } given
            ? given
            : throw new InvalidOperationException("Model:Path is not set; set Model__Path to a model's folder or to a repository id in the local HuggingFace cache.");
        string name = configuration["Model:Name"] is { Length: > 0 } wanted ? wanted : Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        IConfigurationSection engine = configuration.GetSection("Engine");
        var defaults = new EngineOptions();
        IConfigurationSection worker = configuration.GetSection("Worker");
        var options = new WorkerOptions
        {
            ModelPath = path,
            ModelName = name,
            Engine = defaults with
            {
                ModelName = name,
                Device = engine.GetValue("Device", defaults.Device)!,
                Threads = engine.GetValue<int?>("Threads"),
                MaxContextTokens = engine.GetValue<int?>("MaxContextTokens"),
                MaxRunningSequences = engine.GetValue("MaxRunningSequences", FallbackRunningSequences),
                MaxStepTokens = engine.GetValue<int?>("MaxStepTokens"),
                PromptsFirst = engine.GetValue("PromptsFirst", defaults.PromptsFirst),
                KvCacheBytes = engine.GetValue<long?>("KvCacheBytes"),
                EnablePrefixCache = engine.GetValue("EnablePrefixCache", defaults.EnablePrefixCache),
                GpuMemoryShare = engine.GetValue("GpuMemoryShare", defaults.GpuMemoryShare),
                WeightType = engine.GetValue("WeightType", defaults.WeightType),
                DummyWeights = engine.GetValue("DummyWeights", defaults.DummyWeights),
            },
            HeartbeatMs = worker.GetValue("HeartbeatMs", 1000),
            DeadAfterMs = worker.GetValue("DeadAfterMs", 5000),
            ForgetAfterMs = worker.GetValue("ForgetAfterMs", FallbackForgetAfterMs),
            MaxReplyEntries = worker.GetValue("MaxReplyEntries", 8192),
            ReplyIntervalMs = worker.GetValue("ReplyIntervalMs", FallbackReplyIntervalMs),
            DrainSeconds = worker.GetValue("DrainSeconds", 15),
        };
        if (options.ReplyIntervalMs is < 0 or > MaxReplyIntervalMs)
        {
            throw new InvalidOperationException(
                $"Worker:ReplyIntervalMs is {options.ReplyIntervalMs} and may be 0 to {MaxReplyIntervalMs}; 0 sends every step by itself, {FallbackReplyIntervalMs} is the default.");
        }

        if (options.ForgetAfterMs < MinForgetAfterMs)
        {
            throw new InvalidOperationException(
                $"Worker:ForgetAfterMs is {options.ForgetAfterMs} and must be {MinForgetAfterMs} at least, since a worker that waits for requests is silent for two seconds; {FallbackForgetAfterMs} is the default.");
        }

        return options.HeartbeatMs >= 50 && options.DeadAfterMs >= 3 * options.HeartbeatMs
            ? options
            : throw new InvalidOperationException(
                $"Worker:DeadAfterMs is {options.DeadAfterMs} and Worker:HeartbeatMs {options.HeartbeatMs}; a heartbeat is at least 50 ms, and three must fit the time after which a worker counts as dead.");
    }
}
