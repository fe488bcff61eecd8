using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Fastgen.Engine.Text.Models;

/// <summary>Byte-pair encoding: pairs of neighbouring symbols are merged, the pair that was learned first before all others.</summary>
/// <remarks>Sennrich et al. 2016, with the options of HuggingFace tokenizers.</remarks>
internal sealed class BpeModel : TokenModel
{
    private const int StackBytes = 1024;
    private const char Metaspace = '\u2581';
    private readonly BpeOptions _options;
    private readonly SymbolMerger _merger;
    private readonly WordCache _cache = new();
    private readonly int[] _fallbackIds = new int[256];
    private readonly int _unknownId;
    private readonly byte[] _prefixBytes, _suffixBytes;
    private readonly bool _splitsBeforeSpaces;
    private int[]? _byteIds;

    /// <param name="vocabulary">Sealed.</param>
    /// <param name="merges">From pairs of ids to rank and merged id.</param>
    public BpeModel(Vocabulary vocabulary, PairTable merges, BpeOptions options)
    {
        Vocabulary = vocabulary;
        _options = options;
        _merger = new SymbolMerger(merges);
        _prefixBytes = Encoding.UTF8.GetBytes(options.ContinuingSubwordPrefix);
        _suffixBytes = Encoding.UTF8.GetBytes(options.EndOfWordSuffix);
        _unknownId = options.UnknownToken is null ? -1 : vocabulary.IdOf(options.UnknownToken);
        for (var value = 0; value < 256; value++)
        {
            _fallbackIds[value] = vocabulary.IdOf($"<0x{value:X2}>");
        }

        _splitsBeforeSpaces = _prefixBytes.Length == 0 && _suffixBytes.Length == 0
            && vocabulary.IdOf(Metaspace.ToString()) >= 0 && !merges.AnyKey(JoinsAcrossSpace);
    }

    /// <inheritdoc/>
    public override Vocabulary Vocabulary { get; }

    /// <inheritdoc/>
    public override bool TryTakePlainText()
    {
        if (_options.ContinuingSubwordPrefix.Length > 0 || _options.EndOfWordSuffix.Length > 0 || _options.ByteFallback)
        {
            return false;
        }

        var ids = new int[256];
        for (var value = 0; value < 256; value++)
        {
            ids[value] = Vocabulary.IdOf(ByteAlphabet.ToChar((byte)value).ToString());
            if (ids[value] < 0)
            {
                return false;
            }
        }

        _byteIds = ids;
        return true;
    }

    /// <inheritdoc/>
    public override void Tokenize(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > WordCache.MaxWordLength)
        {
            TokenizeLong(piece, ids);
            return;
        }

        if (piece.IsEmpty)
        {
            return;
        }

        var hash = WordCache.Hash(piece);
        if (!_cache.TryAppend(piece, hash, ids))
        {
            var start = ids.Count;
            TokenizeUncached(piece, ids);
            _cache.Store(piece, hash, CollectionsMarshal.AsSpan(ids)[start..]);
        }
    }

    // Files without pre-tokenizer give the model whole texts. Where no merge joins a word to the space that follows it,
    // the words merge each by itself, and the cache knows most of them.
    private void TokenizeLong(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (!_splitsBeforeSpaces || _byteIds is not null || (_options.IgnoreMerges && Vocabulary.IdOf(piece.ToString()) >= 0))
        {
            TokenizeUncached(piece, ids);
            return;
        }

        for (var start = 0; start < piece.Length;)
        {
            var end = start;
            while (end < piece.Length && piece[end] == Metaspace)
            {
                end++;
            }

            var next = piece[end..].IndexOf(Metaspace);
            end = next < 0 ? piece.Length : end + next;
            var word = piece[start..end];
            if (word.Length <= WordCache.MaxWordLength && !_options.IgnoreMerges)
            {
                Tokenize(word, ids);
            }
            else
            {
                MergeSymbols(word, ids);
            }

            start = end;
        }
    }

    private bool JoinsAcrossSpace(int left, int right)
    {
        ReadOnlySpan<byte> metaspace = [0xE2, 0x96, 0x81];
        return Vocabulary.TryGetToken(right, out var second) && second.StartsWith(metaspace)
            && Vocabulary.TryGetToken(left, out var first) && !first.EndsWith(metaspace);
    }

    private void TokenizeUncached(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_options.IgnoreMerges && FindWhole(piece) is var whole and >= 0)
        {
            ids.Add(whole);
            return;
        }

        MergeSymbols(piece, ids);
    }

    private void MergeSymbols(ReadOnlySpan<char> piece, List<int> ids)
    {
        var maxBytes = Encoding.UTF8.GetMaxByteCount(piece.Length);
        byte[]? rentedBytes = null;
        var utf8 = maxBytes <= StackBytes ? stackalloc byte[StackBytes] : rentedBytes = ArrayPool<byte>.Shared.Rent(maxBytes);
        utf8 = utf8[..Encoding.UTF8.GetBytes(piece, utf8)];
        int[]? rentedSymbols = null;
        try
        {
            // A symbol for each byte is the most there can be, but for affixes that fall back to bytes.
            var symbolBound = utf8.Length + ((_prefixBytes.Length + _suffixBytes.Length) * piece.Length);
            var symbols = symbolBound <= StackBytes / 4 ? stackalloc int[StackBytes / 4] : rentedSymbols = ArrayPool<int>.Shared.Rent(symbolBound);
            var count = _byteIds is null ? ReadSymbols(utf8, symbols) : ReadBytes(utf8, symbols, _byteIds);
            count = _merger.Merge(symbols[..count]);
            ids.AddRange(symbols[..count]);
        }
        finally
        {
            if (rentedBytes is not null)
            {
                ArrayPool<byte>.Shared.Return(rentedBytes);
            }

            if (rentedSymbols is not null)
            {
                ArrayPool<int>.Shared.Return(rentedSymbols);
            }
        }
    }

    private int FindWhole(ReadOnlySpan<char> piece)
    {
        var mapped = _byteIds is null ? null : ByteAlphabet.Map(piece);
        return Vocabulary.IdOf(mapped ?? piece);
    }

    private static int ReadBytes(ReadOnlySpan<byte> utf8, Span<int> symbols, int[] _byteIds)
    {
        for (var i = 0; i < utf8.Length; i++)
        {
            symbols[i] = _byteIds[utf8[i]];
        }

        return utf8.Length;
    }

    private int ReadSymbols(ReadOnlySpan<byte> utf8, Span<int> symbols)
    {
        var hasAffixes = _options.ContinuingSubwordPrefix.Length > 0 || _options.EndOfWordSuffix.Length > 0;
        int count = 0, pendingUnknown = -1;
        for (var i = 0; i < utf8.Length;)
        {
            var length = Utf8.CharacterLength(utf8[i]);
            var symbol = utf8.Slice(i, length);
            if (hasAffixes)
            {
                symbol = WithAffixes(symbol, isFirst: i == 0, isLast: i + length == utf8.Length);
            }

            i += length;
            var id = Vocabulary.IdOf(symbol);
            if (id >= 0)
            {
                if (pendingUnknown >= 0)
                {
                    symbols[count++] = pendingUnknown;
                    pendingUnknown = -1;
                }

                symbols[count++] = id;
            }
            else if (_options.ByteFallback && CanFallBack(symbol))
            {
                // An unknown token that waits stays behind these bytes: so the reference has it.
                foreach (var value in symbol)
                {
                    symbols[count++] = _fallbackIds[value];
                }
            }
            else if (_options.UnknownToken is not null)
            {
                if (pendingUnknown >= 0 && !_options.FuseUnknown)
                {
                    symbols[count++] = pendingUnknown;
                }

                pendingUnknown = _unknownId >= 0 ? _unknownId : throw new TokenizerFormatException(
                    $"The tokenizer's unk_token \"{_options.UnknownToken}\" is not in its vocabulary, but the text needs it; add the token or correct model.unk_token.");
            }
        }

        if (pendingUnknown >= 0)
        {
            symbols[count++] = pendingUnknown;
        }

        return count;
    }

    private byte[] WithAffixes(ReadOnlySpan<byte> symbol, bool isFirst, bool isLast) =>
    [
        .. isFirst ? [] : _prefixBytes,
        .. symbol,
        .. isLast ? _suffixBytes : [],
    ];

    private bool CanFallBack(ReadOnlySpan<byte> symbol)
    {
        foreach (var value in symbol)
        {
            if (_fallbackIds[value] < 0)
            {
                return false;
            }
        }

        return true;
    }
}
