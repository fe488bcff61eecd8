using Fastgen.Contracts;
using Fastgen.Contracts.Wire;

namespace Fastgen.Gateway;

/// <summary>What the caller has of one choice. Lets each token and each character pass once.</summary>
internal sealed class ChoiceProgress
{
    private readonly List<int> _tokens = [];
    private int _textUnits;
    private bool _hasEnded;

    /// <summary>Whether the caller has anything of it.</summary>
    public bool HasBegun => _tokens.Count > 0 || _hasEnded;

    /// <summary>What the caller has of it.</summary>
    public ResumedChoice Resume() => new([.. _tokens], _textUnits, _hasEnded);

    /// <summary>Takes in an item of a worker; another worker may have sent the same before.</summary>
    /// <param name="news">What is new of it; null when nothing is.</param>
    public ReplyVerdict Accept(in ReplyItem item, out GenerationEvent? news)
    {
        news = item.Event!;
        if (item.TokenOffset == _tokens.Count && item.TextOffset == _textUnits && !_hasEnded)
        {
            Append(news);
            return ReplyVerdict.New;
        }

        if (item.TokenOffset > _tokens.Count || item.TextOffset > _textUnits)
        {
            news = null;
            return ReplyVerdict.Gap;
        }

        return AcceptOverlap(item, ref news);
    }

    private ReplyVerdict AcceptOverlap(in ReplyItem item, ref GenerationEvent? news)
    {
        GenerationEvent all = item.Event!;
        int knownTokens = Math.Min(_tokens.Count - item.TokenOffset, all.TokenIds.Count);
        for (int i = 0; i < knownTokens; i++)
        {
            if (all.TokenIds[i] != _tokens[item.TokenOffset + i])
            {
                news = null;
                return ReplyVerdict.Contradiction;
            }
        }

        int knownText = Math.Min(_textUnits - item.TextOffset, all.Text.Length);
        bool hasNews = knownTokens < all.TokenIds.Count || knownText < all.Text.Length || all.FinishReason is not null;
        if (_hasEnded || !hasNews)
        {
            // The usage of the whole request must not be lost with the repetition of a choice.
            news = all.Usage is null ? null : new GenerationEvent { Choice = all.Choice, Usage = all.Usage };
            return ReplyVerdict.Repeated;
        }

        news = all with
        {
            TokenIds = [.. all.TokenIds.Skip(knownTokens)],
            Logprobs = all.Logprobs is { } logprobs ? [.. logprobs.Skip(knownTokens)] : null,
            Text = all.Text[knownText..],
        };
        Append(news);
        return ReplyVerdict.New;
    }

    private void Append(GenerationEvent news)
    {
        if (news.TokenIds is int[] tokens)
        {
            _tokens.AddRange(tokens.AsSpan());
        }
        else
        {
            _tokens.AddRange(news.TokenIds);
        }

        _textUnits += news.Text.Length;
        _hasEnded = news.FinishReason is not null;
    }
}
