using System.Text;

namespace Fastgen.Engine.UnitTests.Text;

/// <summary>Writes small tokenizer.model files, good and bad.</summary>
internal sealed class SentencePieceBytes
{
    public const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    private readonly List<byte> _file = [];

    /// <summary>A model of either kind that knows the words of a sentence, with all kinds of pieces.</summary>
    public static byte[] Model(bool bpe, bool byteFallback)
    {
        var model = new SentencePieceBytes().Piece("<unk>", 0, Unknown).Piece("<s>", 0, Control).Piece("</s>", 0, Control).Piece("<user>", 0, UserDefined);
        for (var value = 0; value < 256 && byteFallback; value++)
        {
            model.Piece($"<0x{value:X2}>", 0, Byte);
        }

        string[] pieces = ["▁t", "he", "▁the", "▁q", "ui", "ck", "▁quick", "▁fo", "▁fox", "▁", "t", "h", "e", "q", "u", "i", "c", "k", "f", "o", "x", "1", "2", "\n", "世"];
        for (var i = 0; i < pieces.Length; i++)
        {
            model.Piece(pieces[i], -i, i == 1 ? Unused : Normal);
        }

        return model.Trainer(bpe ? 2 : 1, byteFallback).Normalizer(removeExtraSpaces: !byteFallback).ToArray();
    }

    public SentencePieceBytes Piece(string text, float score, int type = Normal) => Piece(Encoding.UTF8.GetBytes(text), score, type);

    public SentencePieceBytes Piece(byte[] text, float score, int type = Normal)
    {
        var piece = new List<byte>();
        Write(piece, 1, text);
        piece.Add((2 << 3) | 5);
        piece.AddRange(BitConverter.GetBytes(score));
        Write(piece, 3, type);
        Write(_file, 1, piece.ToArray());
        return this;
    }

    public SentencePieceBytes Trainer(int modelType, bool byteFallback = false)
    {
        var trainer = new List<byte>();
        Write(trainer, 3, modelType);
        Write(trainer, 35, byteFallback ? 1 : 0);
        Write(_file, 2, trainer.ToArray());
        return this;
    }

    public SentencePieceBytes Normalizer(byte[]? map = null, bool removeExtraSpaces = false)
    {
        var normalizer = new List<byte>();
        Write(normalizer, 2, map ?? []);
        Write(normalizer, 4, removeExtraSpaces ? 1 : 0);
        Write(_file, 3, normalizer.ToArray());
        return this;
    }

    public SentencePieceBytes Denormalizer(byte[] map)
    {
        var denormalizer = new List<byte>();
        Write(denormalizer, 2, map);
        Write(_file, 5, denormalizer.ToArray());
        return this;
    }

    public SentencePieceBytes Raw(params byte[] bytes)
    {
        _file.AddRange(bytes);
        return this;
    }

    public byte[] ToArray() => [.. _file];

    private static void Write(List<byte> stream, int field, byte[] bytes)
    {
        WriteVarint(stream, (field << 3) | 2);
        WriteVarint(stream, bytes.Length);
        stream.AddRange(bytes);
    }

    private static void Write(List<byte> stream, int field, int value)
    {
        WriteVarint(stream, field << 3);
        WriteVarint(stream, value);
    }

    private static void WriteVarint(List<byte> stream, int value)
    {
        for (; value > 0x7F; value >>= 7)
        {
            stream.Add((byte)(value | 0x80));
        }

        stream.Add((byte)value);
    }
}
