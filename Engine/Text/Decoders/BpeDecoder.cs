namespace Fastgen.Engine.Text.Decoders;

/// <summary>Turns the end-of-word suffix into spaces, and into nothing in the last token.</summary>
internal sealed class BpeDecoder(string suffix) : Decoder
{
    /// <inheritdoc/>
    public override bool NeedsWholePieces => true;

    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next, suffix);

    /// <inheritdoc/>
    public override string MapToken(string token) => Replace(token, suffix, " ");

    private static string Replace(string token, string suffix, string content)
    {
        if (suffix.Length > 0)
        {
            return token.Replace(suffix, content, StringComparison.Ordinal);
        }

        // Nothing stands before, between and behind all characters.
        return content + string.Concat(token.EnumerateRunes().Select(rune => rune.ToString() + content));
    }

    private sealed class Stage(DecoderStage next, string suffix) : DecoderStage
    {
        private string _held = "";

        public override void Push(string text, bool begins)
        {
            if (_held.Length > 0)
            {
                next.Push(Replace(_held, suffix, " "), begins: false);
            }

            // Whether this is the last token shows only with the next; what stands before the suffix is certain.
            var certain = text.IndexOf(suffix, StringComparison.Ordinal);
            certain = certain < 0 ? text.Length : certain;
            next.Push(text[..certain], begins: true);
            _held = text[certain..];
        }

        public override void Finish()
        {
            if (_held.Length > 0)
            {
                next.Push(Replace(_held, suffix, ""), begins: false);
            }

            next.Finish();
        }
    }
}
