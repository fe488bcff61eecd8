using System.Globalization;
using System.Text;

namespace Fastgen.Engine.Text.Decoders;

/// <summary>Turns rows of tokens &lt;0xNN&gt; into text; when a row is not UTF-8 as a whole, each of its bytes is U+FFFD.</summary>
/// <remarks>
/// An eager run hands characters on as they complete. Should the row turn out to be invalid later, what was handed on stays,
/// and only the rest becomes U+FFFD.
/// </remarks>
internal sealed class ByteFallbackDecoder : Decoder
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <inheritdoc/>
    public override bool NeedsWholePieces => true;

    /// <summary>Reads a token &lt;0xNN&gt;.</summary>
    public static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next, eager);

    private sealed class Stage(DecoderStage next, bool eager) : DecoderStage
    {
        private readonly List<byte> _row = [];

        public override void Push(string text, bool begins)
        {
            if (!TryParse(text, out var value))
            {
                EndRow();
                next.Push(text, begins: true);
                return;
            }

            _row.Add(value);
            if (eager && IsWholeText())
            {
                EndRow();
            }
        }

        public override void Finish()
        {
            EndRow();
            next.Finish();
        }

        // Eager rows hold one character at most, so that the look stays cheap; longer ones are invalid and wait for their end.
        private bool IsWholeText()
        {
            if (_row.Count > 4)
            {
                return false;
            }

            return Rune.DecodeFromUtf8(_row.ToArray(), out _, out var used) == System.Buffers.OperationStatus.Done && used == _row.Count;
        }

        private void EndRow()
        {
            if (_row.Count == 0)
            {
                return;
            }

            var bytes = _row.ToArray();
            _row.Clear();
            string text;
            try
            {
                text = Strict.GetString(bytes);
            }
            catch (DecoderFallbackException)
            {
                foreach (var _ in bytes)
                {
                    next.Push("\uFFFD", begins: true);
                }

                return;
            }

            next.Push(text, begins: true);
        }
    }
}
