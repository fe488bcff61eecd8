namespace Fastgen.Engine.Text.Decoders;

/// <summary>Turns Metaspace's character back into spaces; those of the first token go when one was put in front.</summary>
internal sealed class MetaspaceDecoder(string replacement, bool prepends) : Decoder
{
    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next, replacement, prepends);

    /// <inheritdoc/>
    public override string MapToken(string token) => token.Replace(replacement, " ", StringComparison.Ordinal);

    private sealed class Stage(DecoderStage next, string replacement, bool prepends) : DecoderStage
    {
        private int _pieces;

        public override void Push(string text, bool begins)
        {
            _pieces += begins ? 1 : 0;
            next.Push(text.Replace(replacement, prepends && _pieces <= 1 ? "" : " ", StringComparison.Ordinal), begins);
        }

        public override void Finish() => next.Finish();
    }
}
