using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Decoders;

/// <summary>Maps the byte-level alphabet back to bytes, and the bytes to text; what is not UTF-8 becomes U+FFFD.</summary>
internal sealed class ByteLevelDecoder : Decoder
{
    /// <inheritdoc/>
    public override bool Fuses => true;

    /// <inheritdoc/>
    public override bool NeedsWholePieces => true;

    /// <inheritdoc/>
    public override DecoderStage Open(DecoderStage next, bool eager) => new Stage(next);

    private sealed class Stage(DecoderStage next) : DecoderStage
    {
        // A token that ends within a character waits whole, as it does in the reference; but not for ever.
        private const int MaxHeldBytes = 256;
        private readonly List<byte> _held = [];
        private bool _any;

        public override void Push(string text, bool begins)
        {
            ByteAlphabet.Unmap(text, _held);
            var incomplete = IncompleteTail(CollectionsMarshal.AsSpan(_held));
            if (incomplete == 0 || _held.Count > MaxHeldBytes)
            {
                Emit(_held.Count - incomplete);
            }
        }

        public override void Finish()
        {
            Emit(_held.Count);
            next.Finish();
        }

        private void Emit(int count)
        {
            if (count > 0)
            {
                next.Push(Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(_held)[..count]), begins: !_any);
                _any = true;
                _held.RemoveRange(0, count);
            }
        }

        // Number of bytes at the end that may yet become a character.
        private static int IncompleteTail(ReadOnlySpan<byte> bytes)
        {
            for (var length = 1; length <= 3 && length <= bytes.Length; length++)
            {
                var lead = bytes[^length];
                if ((lead & 0xC0) != 0x80)
                {
                    return lead >= 0xC0 && Rune.DecodeFromUtf8(bytes[^length..], out _, out _) == OperationStatus.NeedMoreData ? length : 0;
                }
            }

            return 0;
        }
    }
}
