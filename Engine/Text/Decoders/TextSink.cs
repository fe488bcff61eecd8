using System.Text;

namespace Fastgen.Engine.Text.Decoders;

/// <summary>Collects decoded text.</summary>
/// <param name="separator">Put between pieces; tokenizers without decoder join tokens by spaces.</param>
internal sealed class TextSink(string separator) : DecoderStage
{
    private readonly StringBuilder _text = new();
    private bool _any;

    /// <inheritdoc/>
    public override void Push(string fragment, bool begins)
    {
        if (begins && _any)
        {
            _text.Append(separator);
        }

        _any = true;
        _text.Append(fragment);
    }

    /// <inheritdoc/>
    public override void Finish()
    {
    }

    /// <summary>Takes the text out.</summary>
    public string Take()
    {
        if (_text.Length == 0)
        {
            return "";
        }

        var result = _text.ToString();
        _text.Clear();
        return result;
    }
}
