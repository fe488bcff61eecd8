using Fastgen.Engine.Model;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

public sealed class LoadReportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Loading_tells_what_weights_and_cache_take()
    {
        TinyModel.Write(_folder, "{}");
        List<string> told = [];
        using var runner = ModelRunner.Load(new ModelRunnerOptions { Model = _folder.Root, BlockCount = 7, BlockSize = 16, Report = told.Add });

        long file = new FileInfo(Path.Combine(_folder.Root, "model.safetensors")).Length;
        // The file has a header besides.
        Assert.InRange(runner.Report.WeightBytes, file / 2, file);
        Assert.Equal(112, runner.Report.KvCacheTokens);
        Assert.Null(runner.Report.Device);
        Assert.Contains(told, line => line.StartsWith("Weights: ", StringComparison.Ordinal) && line.Contains("GB/s", StringComparison.Ordinal));
        Assert.Contains(told, line => line.Contains("7 blocks of 16 tokens = 112 tokens", StringComparison.Ordinal));
    }

    [Fact]
    public void On_a_GPU_every_byte_is_accounted_for()
    {
        var report = new LoadReport
        {
            WeightBytes = 14_500_000_000,
            WeightSeconds = 2.5,
            DummyWeights = false,
            WeightsMapped = false,
            StepTokens = 8192,
            BlockCount = 1000,
            BlockSize = 64,
            KvCacheBytes = 100_000_000_000,
            Device = new DeviceMemory(TotalBytes: 140_000_000_000, FreeBytes: 20_000_000_000, WeightBytes: 14_500_000_000, ActivationBytes: 1_500_000_000),
        };

        string text = string.Join('\n', report.Lines());

        Assert.Contains("5.8 GB/s", text, StringComparison.Ordinal);
        Assert.Contains("1,000 blocks of 64 tokens = 64,000 tokens", text, StringComparison.Ordinal);
        Assert.Contains("Activations: 1.50 GB for steps of 8,192 tokens", text, StringComparison.Ordinal);
        Assert.Contains("20.00 of 140.00 GB free", text, StringComparison.Ordinal);
        // 140 - 20 free - 14.5 - 1.5 - 100.
        Assert.Contains("other programs 4.00 GB", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cache_too_small_for_a_block_names_the_option()
    {
        TinyModel.Write(_folder, "{}");

        string message = Assert.Throws<ModelLoadException>(() => ModelRunner.Load(new ModelRunnerOptions { Model = _folder.Root, KvCacheBytes = 10 }).Dispose()).Message;

        Assert.Contains("has 10 bytes", message, StringComparison.Ordinal);
        Assert.Contains("--kv-cache-gb", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bare_config_with_random_weights_generates_text()
    {
        TinyModel.Write(_folder, "{}");
        File.Delete(Path.Combine(_folder.Root, "model.safetensors"));
        await using LlmEngine engine = await LlmEngine.LoadAsync(_folder.Root, new EngineOptions { Device = "cpu", DummyWeights = true, KvCacheBytes = 1 << 20 }, cancellationToken: TestContext.Current.CancellationToken);

        Assert.NotNull(engine.Tokenizer);
        Assert.NotNull(engine.ChatTemplates);
        Assert.True(engine.LoadReport!.DummyWeights);
    }
}
