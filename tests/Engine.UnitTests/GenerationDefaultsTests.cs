using Fastgen.Engine.Model;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.UnitTests;

public sealed class GenerationDefaultsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-defaults-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Values_are_taken_and_ends_come_from_both_files()
    {
        Write("generation_config.json", """{"do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.05, "eos_token_id": [3, 5]}""");
        Write("config.json", """{"eos_token_id": 4}""");
        GenerationDefaults defaults = GenerationDefaults.LoadFolder(_folder);
        Assert.Equal([3, 4, 5], defaults.EndOfSequenceIds.Order());
        Assert.Equal(
            new SamplingParameters { Temperature = 0.6f, TopP = 0.9f, TopK = 20, MinP = 0.05f, RepetitionPenalty = 1.05f, StopStrings = [], StopTokenIds = [] },
            defaults.ToSampling() with { StopStrings = [], StopTokenIds = [] });
    }

    [Fact]
    public void Without_sampling_the_temperature_is_zero()
    {
        Write("generation_config.json", """{"do_sample": false, "temperature": 0.6, "top_k": 20}""");
        SamplingParameters sampling = GenerationDefaults.LoadFolder(_folder).ToSampling();
        Assert.Equal(0, sampling.Temperature);
        Assert.Equal(0, sampling.TopK);
    }

    [Fact]
    public void Missing_files_and_null_values_leave_the_engines_defaults()
    {
        Assert.Equal(1, GenerationDefaults.LoadFolder(_folder).ToSampling().Temperature);
        Write("generation_config.json", """{"temperature": null, "eos_token_id": null}""");
        GenerationDefaults defaults = GenerationDefaults.LoadFolder(_folder);
        Assert.Null(defaults.Temperature);
        Assert.Empty(defaults.EndOfSequenceIds);
    }

    [Theory]
    [InlineData("""{"temperature": "hot"}""", "temperature")]
    [InlineData("""{"eos_token_id": ["a"]}""", "eos_token_id")]
    [InlineData("""{"top_k": 1.5}""", "top_k")]
    [InlineData("{", "generation_config.json")]
    public async Task Wrong_values_are_named(string json, string says)
    {
        Write("generation_config.json", json);
        Write("config.json", "{}");
        ModelLoadException wrong = await Assert.ThrowsAsync<ModelLoadException>(() => LlmEngine.LoadAsync(_folder));
        Assert.Contains(says, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_is_not_there_is_named()
    {
        string nowhere = Path.Combine(_folder, "nothing");
        ModelLoadException missing = await Assert.ThrowsAsync<ModelLoadException>(() => LlmEngine.LoadAsync(nowhere));
        Assert.Contains(nowhere, missing.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => LlmEngine.LoadAsync(nowhere, new EngineOptions { MaxRunningSequences = 0 }));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => LlmEngine.LoadAsync(nowhere, new EngineOptions { BlockSize = 257 }));
    }

    private void Write(string name, string content) => File.WriteAllText(Path.Combine(_folder, name), content);
}
