using Fastgen.Engine.Text.Patterns;

namespace Fastgen.Engine.Text.Decoders;

/// <summary>Replaces every match of a pattern in each piece.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : Decoder
{
    // A literal can be found across fragments; for other patterns nothing is certain before the end of the piece.
    private readonly string? _literal = (pattern as LiteralPattern)?.Literal;

    /// <inheritdoc/>
    public override bool NeedsWholePieces => _literal is null;

    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => _literal is { Length: > 1 } ? new LiteralStage(next, _literal, content) : new Stage(next, this);

    /// <inheritdoc/>
    public override string MapToken(string token) => pattern.Replace(token, content);

    private sealed class Stage(DecoderStage next, ReplaceDecoder owner) : DecoderStage
    {
        public override void Push(string text, bool begins) => next.Push(owner.MapToken(text), begins);

        public override void Finish() => next.Finish();
    }

    private sealed class LiteralStage(DecoderStage next, string literal, string content) : DecoderStage
    {
        private string _held = "";

        public override void Push(string text, bool begins)
        {
            if (begins && _held.Length > 0)
            {
                next.Push(_held, begins: false);
                _held = "";
            }

            text = _held + text;
            var matched = 0;
            while (text.IndexOf(literal, matched, StringComparison.Ordinal) is var match and >= 0)
            {
                matched = match + literal.Length;
            }

            var free = text[matched..];
            var keep = Math.Min(free.Length, literal.Length - 1);
            while (keep > 0 && !literal.AsSpan().StartsWith(free.AsSpan(free.Length - keep), StringComparison.Ordinal))
            {
                keep--;
            }

            _held = text[(text.Length - keep)..];
            next.Push(text[..(text.Length - keep)].Replace(literal, content, StringComparison.Ordinal), begins);
        }

        public override void Finish()
        {
            if (_held.Length > 0)
            {
                next.Push(_held, begins: false);
            }

            next.Finish();
        }
    }
}
