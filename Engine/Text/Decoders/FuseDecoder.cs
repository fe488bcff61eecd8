namespace Fastgen.Engine.Text.Decoders;

/// <summary>Makes all pieces one.</summary>
internal sealed class FuseDecoder : Decoder
{
    /// <inheritdoc/>
    public override bool Fuses => true;

    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next);

    private sealed class Stage(DecoderStage next) : DecoderStage
    {
        private bool _any;

        public override void Push(string text, bool begins)
        {
            next.Push(text, begins: !_any);
            _any = true;
        }

        public override void Finish() => next.Finish();
    }
}
