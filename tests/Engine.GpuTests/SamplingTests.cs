using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.GpuTests;

/// <summary>Sampling on the device against the host's, row by row, over several steps.</summary>
public sealed unsafe class SamplingTests
{
    private const int Rows = 64;
    private const int Steps = 12;

    [Theory]
    [InlineData(320)]
    [InlineData(32768)]
    [InlineData(128256)]
    public void Agrees_with_the_host(int vocabulary)
    {
        Gpu.Require();
        using CudaDevice device = CudaDevice.Open(0);
        KernelCompiler compiler = new(device.Architecture, KernelCompiler.DefaultCacheFolder);
        using CudaSampler sampler = new(device, compiler, vocabulary, Rows, Rows, 256);
        using StepArena arena = new(device, 1024, Rows, 16, Rows, [null], 128);
        using DeviceBuffer logits = new(device, (long)Rows * vocabulary * 4, "test");
        using HostSampler host = new();
        Random random = new(vocabulary);
        List<int>[] histories = [.. Enumerable.Range(0, Rows).Select(_ => Enumerable.Range(0, 20).Select(_ => random.Next(vocabulary)).ToList())];
        SamplingParameters[] parameters = [.. Enumerable.Range(0, Rows).Select(i => Parameters(i, random, vocabulary))];
        int draws = 0, differences = 0;
        for (int step = 0; step < Steps; step++)
        {
            float[] values = [.. Enumerable.Range(0, Rows * vocabulary).Select(_ => (random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f) * 12)];
            Batch batch = MakeBatch(histories, parameters, step);
            arena.Fill(batch, 0, 0);
            Span<SampleSetting> settings = arena.SettingsOnHost(Rows);
            for (int i = 0; i < Rows; i++)
            {
                settings[i] = new SampleSetting(batch.SampleRows[i]);
            }

            arena.Send(batch, 16);
            fixed (float* p = values)
            {
                Driver.CopyToDeviceAsync(logits.Address, p, (nuint)values.Length * 4, device.Stream).Check();
                device.Synchronize();
            }

            sampler.MarkBegin();
            sampler.Run(batch, arena, logits.Address);
            StepOutput actual = sampler.Collect();
            StepOutput expected = new();
            expected.Prepare(batch);
            for (int i = 0; i < Rows; i++)
            {
                host.Sample(batch.SampleRows[i], values.AsSpan(i * vocabulary, vocabulary), i, expected);
                Compare(parameters[i], i, actual, expected, ref draws, ref differences);
                histories[i].Add(actual.TokenIds[i]);
            }
        }

        // The device adds in float32 and in another order: with 100,000 tokens of 1e-5 each, a draw near the edge of a token falls to
        // its neighbour now and then (2.4 % seen). That the distribution is right, reference/ops_check.py tests by chi-square.
        Assert.True(differences <= draws / 20, $"{differences} of {draws} draws differ.");
    }

    private static void Compare(SamplingParameters p, int row, StepOutput actual, StepOutput expected, ref int draws, ref int differences)
    {
        Assert.False(actual.NotFinite[row]);
        if (p.Temperature == 0)
        {
            Assert.Equal(expected.TokenIds[row], actual.TokenIds[row]);
        }
        else
        {
            draws++;
            differences += expected.TokenIds[row] == actual.TokenIds[row] ? 0 : 1;
        }

        if (p.Logprobs is { } top)
        {
            if (expected.TokenIds[row] == actual.TokenIds[row])
            {
                Assert.Equal(expected.Logprobs[row], actual.Logprobs[row], 1e-3f);
            }

            Assert.Equal(expected.TopIds.AsSpan(row * expected.TopCount, top).ToArray(), actual.TopIds.AsSpan(row * actual.TopCount, top).ToArray());
            for (int k = 0; k < top; k++)
            {
                Assert.Equal(expected.TopLogprobs[(row * expected.TopCount) + k], actual.TopLogprobs[(row * actual.TopCount) + k], 1e-3f);
            }
        }
        else
        {
            Assert.True(float.IsNaN(actual.Logprobs[row]));
        }
    }

    private static SamplingParameters Parameters(int i, Random random, int vocabulary) => new()
    {
        Temperature = i % 3 == 0 ? 0 : 0.4f + (random.NextSingle() * 1.2f),
        TopP = i % 4 == 1 ? 0.5f + (random.NextSingle() * 0.45f) : 1,
        TopK = i % 5 == 2 ? random.Next(1, 60) : 0,
        MinP = i % 7 == 3 ? 0.05f : 0,
        RepetitionPenalty = i % 6 == 4 ? 1.4f : 1,
        PresencePenalty = i % 6 == 5 ? 1.5f : 0,
        FrequencyPenalty = i % 8 == 6 ? 0.7f : 0,
        LogitBias = i % 9 == 7 ? new Dictionary<int, float> { [random.Next(vocabulary)] = 30, [random.Next(vocabulary)] = -50 } : null,
        Logprobs = i % 4 == 0 ? i % 21 : null,
        Seed = (ulong)i,
    };

    private static Batch MakeBatch(List<int>[] histories, SamplingParameters[] parameters, int step)
    {
        Batch batch = new(1024, Rows, 16) { StepNumber = step + 1, TokenCount = Rows, SequenceCount = Rows };
        for (int i = 0; i < Rows; i++)
        {
            batch.QueryStarts[i + 1] = i + 1;
            batch.ContextLengths[i] = histories[i].Count;
            batch.SampleRows.Add(new SampleRow
            {
                TokenIndex = i,
                SequenceSlot = i,
                SlotIsNew = step == 0,
                Parameters = parameters[i],
                Seed = parameters[i].Seed!.Value,
                OutputPosition = step,
                History = histories[i].ToArray(),
                PromptTokens = 20,
                BannedTokens = i % 10 == 8 && step < 5 ? new[] { 3, 5 } : default(ReadOnlyMemory<int>),
            });
        }

        return batch;
    }
}
