using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.Gateway;

namespace Fastgen.Services.Tests.Gateway;

public sealed class ChoiceProgressTests
{
    private static readonly int[] Tokens = [11, 12, 13, 14, 15, 16];
    private static readonly string[] Texts = ["a", "", "bc", "d", "", "ef"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    public void A_second_worker_that_begins_anew_with_other_steps_adds_only_what_is_missing(int tokensPerStep)
    {
        var progress = new ChoiceProgress();
        var text = "";
        var tokens = new List<int>();
        void Take(IEnumerable<ReplyItem> items)
        {
            foreach (ReplyItem item in items)
            {
                Assert.Contains(progress.Accept(item, out GenerationEvent? news), (ReplyVerdict[])[ReplyVerdict.New, ReplyVerdict.Repeated]);
                text += news?.Text;
                tokens.AddRange(news?.TokenIds ?? []);
            }
        }

        Take(Steps(1).Take(4));
        Take(Steps(tokensPerStep));
        Assert.Equal("abcdef", text);
        Assert.Equal(Tokens, tokens);
    }

    [Fact]
    public void A_gap_and_other_tokens_are_noticed()
    {
        var progress = new ChoiceProgress();
        ReplyItem[] steps = [.. Steps(1)];
        Assert.Equal(ReplyVerdict.New, progress.Accept(steps[0], out _));
        Assert.Equal(ReplyVerdict.Gap, progress.Accept(steps[2], out GenerationEvent? lost));
        Assert.Null(lost);
        ReplyItem other = steps[0] with { Event = steps[0].Event! with { TokenIds = [99] } };
        Assert.Equal(ReplyVerdict.Contradiction, progress.Accept(other, out _));
    }

    [Fact]
    public void The_usage_arrives_even_when_the_choice_had_ended_before()
    {
        var progress = new ChoiceProgress();
        ReplyItem last = new() { Event = new GenerationEvent { TokenIds = [1], Text = "x", FinishReason = FinishReason.Stop } };
        Assert.Equal(ReplyVerdict.New, progress.Accept(last, out _));
        ReplyItem again = last with { Event = last.Event with { Usage = new GenerationUsage(1, 1, 0) } };
        Assert.Equal(ReplyVerdict.Repeated, progress.Accept(again, out GenerationEvent? news));
        Assert.Equal(new GenerationUsage(1, 1, 0), news!.Usage);
        Assert.Equal("", news.Text);
        Assert.Null(news.FinishReason);
    }

    [Fact]
    public void What_the_caller_has_is_what_another_worker_goes_on_from()
    {
        var progress = new ChoiceProgress();
        Assert.False(progress.HasBegun);
        foreach (ReplyItem item in Steps(1).Take(3))
        {
            progress.Accept(item, out _);
        }

        ResumedChoice resumed = progress.Resume();
        Assert.Equal([11, 12, 13], resumed.TokenIds);
        Assert.Equal((3, false), (resumed.TextUnits, resumed.HasEnded));
        foreach (ReplyItem item in Steps(1).Skip(3))
        {
            Assert.Equal(ReplyVerdict.New, progress.Accept(item, out _));
        }

        Assert.Equal((6, true), (progress.Resume().TextUnits, progress.Resume().HasEnded));
    }

    private static IEnumerable<ReplyItem> Steps(int tokensPerStep)
    {
        int textOffset = 0;
        for (int i = 0; i < Tokens.Length; i += tokensPerStep)
        {
            string text = string.Concat(Texts.Skip(i).Take(tokensPerStep));
            yield return new ReplyItem
            {
                TokenOffset = i,
                TextOffset = textOffset,
                Event = new GenerationEvent
                {
                    TokenIds = [.. Tokens.Skip(i).Take(tokensPerStep)],
                    Text = text,
                    FinishReason = i + tokensPerStep >= Tokens.Length ? FinishReason.Length : null,
                },
            };
            textOffset += text.Length;
        }
    }
}
