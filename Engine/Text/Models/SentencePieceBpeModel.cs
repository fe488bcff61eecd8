using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Fastgen.Engine.Text.Models;

/// <summary>Byte-pair encoding as SentencePiece does it: any two neighbours whose text together is a piece may merge, the best score first.</summary>
/// <remarks>As <c>bpe_model.cc</c>: equal scores merge from the left, user-defined pieces are never part of another, and characters without a piece are unknown.</remarks>
internal sealed class SentencePieceBpeModel : TokenModel
{
    private const int StackSymbols = 256;
    private const char Metaspace = '\u2581';
    private readonly WordCache _cache = new();
    private readonly Vocabulary _symbols;
    private readonly SymbolMerger _merger;
    private readonly PieceTrie _userDefined;
    private readonly Dictionary<int, int[]> _unused;
    private readonly int _pieceCount;
    private readonly int _unknownId;
    private readonly int[]? _byteIds;
    private readonly bool _splitsBeforeSpaces;

    /// <param name="pieces">Everything about the pieces.</param>
    /// <param name="unknownId">What unknown characters become.</param>
    /// <param name="byteIds">Ids of the byte pieces, when unknown characters become bytes.</param>
    public SentencePieceBpeModel(SentencePieceMerges pieces, int unknownId, int[]? byteIds)
    {
        Vocabulary = pieces.Vocabulary;
        _symbols = pieces.Symbols;
        _merger = new SymbolMerger(pieces.Merges);
        _userDefined = pieces.UserDefined;
        _unused = pieces.Unused;
        _pieceCount = pieces.PieceCount;
        _unknownId = unknownId;
        _byteIds = byteIds;
        _splitsBeforeSpaces = _symbols.IdOf(Metaspace.ToString()) is var space && space >= 0 && space < _pieceCount
            && _userDefined.IsEmpty && !pieces.Merges.AnyKey(JoinsAcrossSpace);
    }

    /// <inheritdoc/>
    public override Vocabulary Vocabulary { get; }

    /// <inheritdoc/>
    public override void Tokenize(ReadOnlySpan<char> piece, List<int> ids)
    {
        // A run of unknown characters is one token, so words are cut off only where a known space begins.
        for (var start = 0; start < piece.Length;)
        {
            var end = _splitsBeforeSpaces ? WordEnd(piece, start) : piece.Length;
            var word = piece[start..end];
            start = end;
            var hash = WordCache.Hash(word);
            if (word.Length > WordCache.MaxWordLength)
            {
                Merge(word, ids);
            }
            else if (!_cache.TryAppend(word, hash, ids))
            {
                var first = ids.Count;
                Merge(word, ids);
                _cache.Store(word, hash, CollectionsMarshal.AsSpan(ids)[first..]);
            }
        }
    }

    private static int WordEnd(ReadOnlySpan<char> text, int start)
    {
        while (start < text.Length && text[start] == Metaspace)
        {
            start++;
        }

        var next = text[start..].IndexOf(Metaspace);
        return next < 0 ? text.Length : start + next;
    }

    private bool JoinsAcrossSpace(int left, int right)
    {
        ReadOnlySpan<byte> metaspace = [0xE2, 0x96, 0x81];
        return _symbols.TryGetToken(right, out var second) && second.StartsWith(metaspace)
            && _symbols.TryGetToken(left, out var first) && !first.EndsWith(metaspace);
    }

    private void Merge(ReadOnlySpan<char> text, List<int> ids)
    {
        var utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        int[]? rented = null;
        try
        {
            var bytes = utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, utf8));
            var symbols = bytes.Length <= StackSymbols ? stackalloc int[StackSymbols] : rented = ArrayPool<int>.Shared.Rent(bytes.Length);

            // A character without symbol cannot merge: it stands as -1 minus its place, where its bytes are found again.
            var count = 0;
            for (var i = 0; i < bytes.Length;)
            {
                var length = _userDefined.Match(bytes[i..], out var symbol);
                if (length == 0)
                {
                    length = Utf8.CharacterLength(bytes[i]);
                    symbol = _symbols.IdOf(bytes.Slice(i, length));
                }

                symbols[count++] = symbol >= 0 ? symbol : -1 - i;
                i += length;
            }

            count = _merger.Merge(symbols[..count]);
            var afterUnknown = false;
            foreach (var symbol in symbols[..count])
            {
                Add(symbol, bytes, ids, ref afterUnknown);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(utf8);
            if (rented is not null)
            {
                ArrayPool<int>.Shared.Return(rented);
            }
        }
    }

    private void Add(int symbol, ReadOnlySpan<byte> bytes, List<int> ids, ref bool afterUnknown)
    {
        if (symbol >= 0 && symbol < _pieceCount && !_unused.ContainsKey(symbol))
        {
            ids.Add(symbol);
            afterUnknown = false;
            return;
        }

        if (symbol >= 0 && _unused.TryGetValue(symbol, out var parts))
        {
            foreach (var part in parts)
            {
                Add(part, bytes, ids, ref afterUnknown);
            }

            return;
        }

        if (_byteIds is null)
        {
            // A row of unknown characters is one token.
            if (!afterUnknown)
            {
                ids.Add(_unknownId);
            }

            afterUnknown = true;
            return;
        }

        ReadOnlySpan<byte> character;
        if (symbol < 0)
        {
            character = bytes[(-1 - symbol)..];
            character = character[..Utf8.CharacterLength(character[0])];
        }
        else
        {
            _symbols.TryGetToken(symbol, out character);
        }

        foreach (var value in character)
        {
            ids.Add(_byteIds[value]);
        }
    }
}
