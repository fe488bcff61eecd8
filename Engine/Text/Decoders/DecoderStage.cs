namespace Fastgen.Engine.Text.Decoders;

/// <summary>One step of a running decoder: takes text as it comes and hands on what is certain.</summary>
internal abstract class DecoderStage
{
    /// <summary>Takes a fragment of a piece; a token is a piece until something fuses them.</summary>
    /// <param name="begins">Whether a new piece begins.</param>
    public abstract void Push(string text, bool begins);

    /// <summary>Hands on what is held; nothing comes after.</summary>
    public abstract void Finish();
}
