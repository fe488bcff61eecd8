namespace Fastgen.Engine.Text.Decoders;

/// <summary>Joins tokens that carry the continuing prefix and separates the others by spaces.</summary>
/// <param name="cleanup">Whether to close up punctuation and English contractions.</param>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : Decoder
{
    private static readonly (string From, string To)[] CleanUps =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <inheritdoc/>
    public override bool NeedsWholePieces => true;

    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next, this);

    /// <inheritdoc/>
    public override string MapToken(string token)
    {
        token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        return CleanUp(token);
    }

    private string CleanUp(string text) =>
        cleanup ? CleanUps.Aggregate(text, (current, pair) => current.Replace(pair.From, pair.To, StringComparison.Ordinal)) : text;

    private sealed class Stage(DecoderStage next, WordPieceDecoder owner) : DecoderStage
    {
        private bool _any;

        public override void Push(string text, bool begins)
        {
            next.Push(_any ? owner.MapToken(text) : owner.CleanUp(text), begins: true);
            _any = true;
        }

        public override void Finish() => next.Finish();
    }
}
