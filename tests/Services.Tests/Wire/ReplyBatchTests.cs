using Fastgen.Contracts;
using Fastgen.Contracts.Wire;

namespace Fastgen.Services.Tests.Wire;

public sealed class ReplyBatchTests
{
    private static readonly TokenLogprob Alternative = new(7, "é", [0xC3, 0xA9], -3.5f, null);

    [Fact]
    public void Events_of_several_requests_come_back_as_they_were()
    {
        var batch = new ReplyBatch();
        batch.Add(1, 0, 0, new GenerationEvent { Choice = 2, TokenIds = [5, 300_000], Text = "Grüße 🌊" });
        batch.Add(long.MaxValue, 1000, 70_000, new GenerationEvent
        {
            TokenIds = [9],
            Logprobs = [new TokenLogprob(9, "\uFFFD", [0xFF], float.NegativeInfinity, [Alternative, Alternative])],
            FinishReason = FinishReason.Length,
            Usage = new GenerationUsage(10, 20, 30),
        });
        batch.Add(3, new GenerationException(GenerationErrorKind.Overloaded, "Too much.", "prompt") { RetryAfter = TimeSpan.FromSeconds(4) });

        batch.Add(4, ReleaseReason.WorkerLost);

        var reader = new ReplyReader(batch.Bytes.Span);
        Assert.True(reader.TryRead(out ReplyItem first));
        Assert.Equal((1L, 0, 0, 2), (first.Ticket, first.TokenOffset, first.TextOffset, first.Event!.Choice));
        Assert.Equal([5, 300_000], first.Event.TokenIds);
        Assert.Equal("Grüße 🌊", first.Event.Text);
        Assert.Null(first.Event.FinishReason);
        Assert.True(reader.TryRead(out ReplyItem second));
        Assert.Equal((long.MaxValue, 1000, 70_000), (second.Ticket, second.TokenOffset, second.TextOffset));
        Assert.Equal(FinishReason.Length, second.Event!.FinishReason);
        Assert.Equal(new GenerationUsage(10, 20, 30), second.Event.Usage);
        TokenLogprob token = Assert.Single(second.Event.Logprobs!);
        Assert.Equal(float.NegativeInfinity, token.Logprob);
        Assert.Equal([0xFF], token.Bytes);
        Assert.Equal(-3.5f, token.Top![1].Logprob);
        Assert.Equal("é", token.Top[1].Token);
        Assert.True(reader.TryRead(out ReplyItem third));
        Assert.Equal((GenerationErrorKind.Overloaded, "Too much.", "prompt", null), (third.Failure!.Kind, third.Failure.Message, third.Failure.Parameter, third.Failure.Code));
        Assert.Equal(TimeSpan.FromSeconds(4), third.Failure.RetryAfter);
        Assert.True(reader.TryRead(out ReplyItem fourth));
        Assert.Equal((4L, ReleaseReason.WorkerLost, null, null), (fourth.Ticket, fourth.Release, fourth.Event, fourth.Failure));
        Assert.False(reader.TryRead(out _));
    }

    [Fact]
    public void A_batch_cut_anywhere_is_refused_and_costs_no_memory()
    {
        var batch = new ReplyBatch();
        batch.Add(1, 3, 4, new GenerationEvent { TokenIds = [1, 2, 3], Text = "abc", Logprobs = [Alternative], FinishReason = FinishReason.Stop });
        byte[] whole = batch.Bytes.ToArray();
        for (int length = 1; length < whole.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => ReadAll(whole.AsSpan(0, length)));
        }

        Assert.Throws<InvalidDataException>(() => ReadAll([0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]));
    }

    private static void ReadAll(ReadOnlySpan<byte> bytes)
    {
        var reader = new ReplyReader(bytes);
        while (reader.TryRead(out _))
        {
        }
    }
}
