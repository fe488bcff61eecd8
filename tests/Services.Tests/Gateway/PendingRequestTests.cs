using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.Gateway;

namespace Fastgen.Services.Tests.Gateway;

public sealed class PendingRequestTests
{
    private readonly PendingRequest _request = new(new GenerationRequest { Id = "r", Model = "m", PromptText = "" }, "stream");

    [Fact]
    public void A_failure_is_told_after_the_events_that_a_slow_reader_has_not_taken_yet()
    {
        _request.Accept(Item(0, "a"));
        _request.Accept(Item(1, "b"));
        _request.Fail(new GenerationException(GenerationErrorKind.Unavailable, "stopping"));

        Assert.Equal("a", _request.Take(out bool isLast)!.Text);
        Assert.False(isLast);
        Assert.Equal("b", _request.Take(out isLast)!.Text);
        Assert.False(isLast);
        Assert.Equal("stopping", Assert.Throws<GenerationException>(() => _request.Take(out _)).Message);
    }

    [Fact]
    public void The_event_with_the_usage_is_the_last()
    {
        _request.Accept(Item(0, "a"));
        _request.Accept(Item(1, "b", new GenerationUsage(1, 2, 0)));

        Assert.Equal("a", _request.Take(out bool isLast)!.Text);
        Assert.False(isLast);
        Assert.Equal("b", _request.Take(out isLast)!.Text);
        Assert.True(isLast);
        Assert.Null(_request.Take(out _));
    }

    private static ReplyItem Item(int offset, string text, GenerationUsage? usage = null) => new()
    {
        TokenOffset = offset,
        TextOffset = offset,
        Event = new GenerationEvent { TokenIds = [offset], Text = text, FinishReason = usage is null ? null : FinishReason.Stop, Usage = usage },
    };
}
