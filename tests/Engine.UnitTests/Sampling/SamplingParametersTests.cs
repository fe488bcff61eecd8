using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.UnitTests.Sampling;

public sealed class SamplingParametersTests
{
    private const int Vocabulary = 100;

    public static TheoryData<string, string, SamplingParameters> Wrong() => new()
    {
        { "Temperature", "-0.1", new() { Temperature = -0.1f } },
        { "Temperature", "100", new() { Temperature = 101 } },
        { "Temperature", "NaN", new() { Temperature = float.NaN } },
        { "Temperature", "Infinity", new() { Temperature = float.PositiveInfinity } },
        { "TopP", "0", new() { TopP = 0 } },
        { "TopP", "1.01", new() { TopP = 1.01f } },
        { "TopK", "-1", new() { TopK = -1 } },
        { "MinP", "1.5", new() { MinP = 1.5f } },
        { "PresencePenalty", "-2", new() { PresencePenalty = -2.5f } },
        { "FrequencyPenalty", "2", new() { FrequencyPenalty = 3 } },
        { "RepetitionPenalty", "0", new() { RepetitionPenalty = 0 } },
        { "MaxTokens", "0", new() { MaxTokens = 0 } },
        { "MinTokens", "-1", new() { MinTokens = -1 } },
        { "MinTokens", "MaxTokens is 3", new() { MinTokens = 4, MaxTokens = 3 } },
        { "Logprobs", "20", new() { Logprobs = 21 } },
        { "Logprobs", "-1", new() { Logprobs = -1 } },
        { "StopTokenIds", "99", new() { StopTokenIds = [100] } },
        { "StopTokenIds", "-7", new() { StopTokenIds = [-7] } },
        { "LogitBias", "100", new() { LogitBias = new Dictionary<int, float> { [100] = 1 } } },
        { "LogitBias", "100.5", new() { LogitBias = new Dictionary<int, float> { [1] = 100.5f } } },
        { "StopStrings", "empty", new() { StopStrings = ["a", ""] } },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Values_out_of_range_are_named(string parameter, string says, SamplingParameters sampling)
    {
        EngineRequestException wrong = Assert.Throws<EngineRequestException>(() => sampling.Validate(Vocabulary));
        Assert.Equal(parameter, wrong.Parameter);
        Assert.Contains(says, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_ends_of_all_ranges_are_accepted()
    {
        new SamplingParameters().Validate(Vocabulary);
        new SamplingParameters
        {
            Temperature = 0,
            TopP = 1,
            TopK = int.MaxValue,
            MinP = 1,
            PresencePenalty = -2,
            FrequencyPenalty = 2,
            RepetitionPenalty = 100,
            MaxTokens = 1,
            MinTokens = 1,
            Logprobs = 20,
            StopTokenIds = [0, 99],
            LogitBias = new Dictionary<int, float> { [0] = -100, [99] = 100 },
        }.Validate(Vocabulary);
    }
}
