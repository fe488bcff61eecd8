namespace Fastgen.Engine.Text.Decoders;

/// <summary>How tokens become text: one step of the decoders in a tokenizer file.</summary>
internal abstract class Decoder
{
    /// <summary>Whether all that it hands on is one piece, which comes in fragments.</summary>
    public virtual bool Fuses => false;

    /// <summary>Whether it must see pieces whole.</summary>
    public virtual bool NeedsWholePieces => false;

    /// <summary>Starts a run that hands its text to <paramref name="next"/>.</summary>
    /// <param name="eager">Whether to hand on what may still change in rare cases, for streams.</param>
    public abstract DecoderStage Open(DecoderStage next, bool eager);

    /// <summary>What a single token in the middle of a text becomes, before pieces are fused.</summary>
    public virtual string MapToken(string token) => token;

    /// <summary>Starts a chain of decoders.</summary>
    public static DecoderStage Open(IReadOnlyList<Decoder> chain, DecoderStage sink, bool eager)
    {
        var fragmentsFrom = 0;
        while (fragmentsFrom < chain.Count && !chain[fragmentsFrom].Fuses)
        {
            fragmentsFrom++;
        }

        var stage = sink;
        for (var i = chain.Count - 1; i >= 0; i--)
        {
            stage = chain[i].Open(stage, eager);
            if (i > fragmentsFrom && chain[i].NeedsWholePieces)
            {
                stage = new GatherStage(stage);
            }
        }

        return stage;
    }
}
