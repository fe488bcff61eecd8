using System.Text;

namespace Fastgen.Engine.Text.Decoders;

/// <summary>Puts the fragments of a piece together, for a step that must see it whole.</summary>
internal sealed class GatherStage(DecoderStage next) : DecoderStage
{
    private readonly StringBuilder _piece = new();
    private bool _open;

    /// <inheritdoc/>
    public override void Push(string text, bool begins)
    {
        if (begins)
        {
            Emit();
        }

        _open = true;
        _piece.Append(text);
    }

    /// <inheritdoc/>
    public override void Finish()
    {
        Emit();
        next.Finish();
    }

    private void Emit()
    {
        if (_open)
        {
            next.Push(_piece.ToString(), begins: true);
            _piece.Clear();
        }
    }
}
