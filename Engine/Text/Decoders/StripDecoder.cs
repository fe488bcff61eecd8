using System.Text;

namespace Fastgen.Engine.Text.Decoders;

/// <summary>Removes up to so many of a character at the ends of each piece.</summary>
internal sealed class StripDecoder(Rune content, int start, int stop) : Decoder
{
    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next, content, start, stop);

    private sealed class Stage(DecoderStage next, Rune content, int start, int stop) : DecoderStage
    {
        private readonly StringBuilder _kept = new();
        private int _leading;
        private int _held;

        public override void Push(string text, bool begins)
        {
            if (begins)
            {
                _leading = start;
                _held = 0;
            }

            _kept.Clear();
            foreach (var rune in text.EnumerateRunes())
            {
                if (_leading > 0 && rune == content)
                {
                    _leading--;
                    continue;
                }

                _leading = 0;
                Keep(rune);
            }

            next.Push(_kept.ToString(), begins);
        }

        public override void Finish() => next.Finish();

        // The last ones wait until something else shows that they are not at the end.
        private void Keep(Rune rune)
        {
            if (rune == content)
            {
                if (_held < stop)
                {
                    _held++;
                    return;
                }
            }
            else
            {
                for (; _held > 0; _held--)
                {
                    _kept.Append(content.ToString());
                }
            }

            _kept.Append(rune.ToString());
        }
    }
}
