using System.Text;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Loading;

/// <summary>What a tokenizer.model holds: SentencePiece's ModelProto with the defaults of its schema.</summary>
/// <remarks>github.com/google/sentencepiece, src/sentencepiece_model.proto. Files may be hostile.</remarks>
internal sealed class SentencePieceFile
{
    /// <summary>Larger files are refused; the largest that are published have some 5 MB.</summary>
    public const int MaxFileBytes = 64 << 20;

    /// <summary>Longer pieces are refused: what a piece is merged from is found by trying every cut.</summary>
    public const int MaxPieceBytes = 1024;

    private const string Source = "tokenizer.model";
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private SentencePieceFile()
    {
    }

    /// <summary>The pieces; ids are places.</summary>
    public List<(byte[] Text, float Score, SentencePieceType Type)> Pieces { get; } = [];

    /// <summary><c>trainer_spec.model_type</c>: BPE, or else Unigram.</summary>
    public bool IsBpe { get; private set; }

    /// <summary><c>trainer_spec.byte_fallback</c>.</summary>
    public bool ByteFallback { get; private set; }

    /// <summary><c>trainer_spec.treat_whitespace_as_suffix</c>.</summary>
    public bool SpaceIsSuffix { get; private set; }

    /// <summary><c>trainer_spec.bos_piece</c>.</summary>
    public string BosPiece { get; private set; } = "<s>";

    /// <summary><c>trainer_spec.eos_piece</c>.</summary>
    public string EosPiece { get; private set; } = "</s>";

    /// <summary><c>normalizer_spec.precompiled_charsmap</c>; empty: none.</summary>
    public byte[] CharacterMap { get; private set; } = [];

    /// <summary><c>normalizer_spec.add_dummy_prefix</c>.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    /// <summary><c>normalizer_spec.remove_extra_whitespaces</c>.</summary>
    public bool RemoveExtraSpaces { get; private set; } = true;

    /// <summary><c>normalizer_spec.escape_whitespaces</c>.</summary>
    public bool EscapeSpaces { get; private set; } = true;

    /// <summary>Id of the piece for what is unknown.</summary>
    public int UnknownId { get; private set; } = -1;

    /// <exception cref="TokenizerFormatException">The file is damaged or asks for what is not supported.</exception>
    public static SentencePieceFile Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MaxFileBytes)
        {
            throw Error($"has {bytes.Length:N0} bytes, but at most {MaxFileBytes:N0} are read; is this a SentencePiece model?");
        }

        RejectOtherFormats(bytes);
        var file = new SentencePieceFile();
        var reader = new ProtobufReader(bytes, Source);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    file.ReadPiece(reader.Bytes);
                    break;
                case 2:
                    file.ReadTrainer(reader.Bytes);
                    break;
                case 3:
                    file.ReadNormalizer(reader.Bytes);
                    break;
                case 5:
                    RejectDenormalizer(reader.Bytes);
                    break;
            }
        }

        file.Check();
        return file;
    }

    // Llama 3 and others publish tiktoken's format under the same name: lines of base64 and rank.
    private static void RejectOtherFormats(ReadOnlySpan<byte> bytes)
    {
        var line = bytes[..Math.Min(bytes.Length, 200)];
        line = line.IndexOf((byte)'\n') is var end and > 0 ? line[..end] : line;
        var space = line.IndexOf((byte)' ');
        if (space > 0 && !line[(space + 1)..].IsEmpty && !line.ContainsAnyExceptInRange((byte)' ', (byte)'~') && !line[(space + 1)..].TrimEnd((byte)'\r').ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            throw Error("holds lines of base64 and rank, which is tiktoken's format and not SentencePiece's; take the tokenizer.json of the same model.");
        }
    }

    private static void RejectDenormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, Source);
        while (reader.Next())
        {
            if (reader.Field == 2 && !reader.Bytes.IsEmpty)
            {
                throw Error("has a denormalizer_spec with a precompiled_charsmap, which is not supported; take the tokenizer.json of the same model.");
            }
        }
    }

    private void ReadPiece(ReadOnlySpan<byte> message)
    {
        byte[] text = [];
        var score = 0f;
        var type = SentencePieceType.Normal;
        var reader = new ProtobufReader(message, Source);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.Bytes.ToArray();
                    break;
                case 2:
                    score = reader.Single;
                    break;
                case 3:
                    type = (SentencePieceType)reader.Int32;
                    break;
            }
        }

        var id = Pieces.Count;
        if (id > Vocabulary.MaxId)
        {
            throw Error($"has more than {Vocabulary.MaxId + 1:N0} pieces; fetch the file again.");
        }

        if (text.Length is 0 or > MaxPieceBytes)
        {
            throw Error($"has a piece {id} of {text.Length:N0} bytes; pieces have 1 to {MaxPieceBytes:N0}. Fetch the file again.");
        }

        if (!Enum.IsDefined(type) || float.IsNaN(score) || !IsText(text))
        {
            throw Error($"has a piece {id} of type {(int)type} with score {score} that is not valid (types are 1 to 6, scores numbers, pieces UTF-8); fetch the file again.");
        }

        if (type == SentencePieceType.Unknown)
        {
            UnknownId = UnknownId < 0 ? id : throw Error($"has two pieces of the type unknown, {UnknownId} and {id}; fetch the file again.");
        }

        Pieces.Add((text, score, type));
    }

    private void ReadTrainer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, Source);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    IsBpe = reader.Int32 switch
                    {
                        1 => false,
                        2 => true,
                        3 => throw Error("has the model type WORD, which is not supported; supported are BPE and UNIGRAM. Take the tokenizer.json of the same model, where there is one."),
                        4 => throw Error("has the model type CHAR, which is not supported; supported are BPE and UNIGRAM. Take the tokenizer.json of the same model, where there is one."),
                        var type => throw Error($"has the unknown model type {type}; supported are BPE and UNIGRAM."),
                    };
                    break;
                case 24:
                    SpaceIsSuffix = reader.Boolean;
                    break;
                case 35:
                    ByteFallback = reader.Boolean;
                    break;
                case 46:
                    BosPiece = Text(reader.Bytes);
                    break;
                case 47:
                    EosPiece = Text(reader.Bytes);
                    break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, Source);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    CharacterMap = reader.Bytes.ToArray();
                    break;
                case 3:
                    AddDummyPrefix = reader.Boolean;
                    break;
                case 4:
                    RemoveExtraSpaces = reader.Boolean;
                    break;
                case 5:
                    EscapeSpaces = reader.Boolean;
                    break;
            }
        }
    }

    private void Check()
    {
        if (Pieces.Count == 0)
        {
            throw Error("has no pieces; fetch the file again.");
        }

        if (UnknownId < 0)
        {
            throw Error("has no piece of the type unknown, which every model has; fetch the file again.");
        }

        var bytes = Pieces.Where(piece => piece.Type == SentencePieceType.Byte).Select(piece => Encoding.UTF8.GetString(piece.Text)).ToHashSet(StringComparer.Ordinal);
        if (ByteFallback && Enumerable.Range(0, 256).Any(value => !bytes.Contains($"<0x{value:X2}>")))
        {
            throw Error($"has byte_fallback, but {bytes.Count} of the 256 byte pieces; fetch the file again.");
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    private static bool IsText(byte[] bytes)
    {
        try
        {
            return Strict.GetCharCount(bytes) > 0;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    private static TokenizerFormatException Error(string what) => new($"{Source} {what}");
}
