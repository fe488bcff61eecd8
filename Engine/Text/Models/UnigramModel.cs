using System.Buffers;
using System.Text;

namespace Fastgen.Engine.Text.Models;

/// <summary>Unigram language model: the cut of a piece into tokens with the highest sum of scores.</summary>
/// <remarks>Kudo 2018; the best path as SentencePiece and HuggingFace tokenizers compute it, in float64.</remarks>
internal sealed class UnigramModel : TokenModel
{
    private readonly double[] _scores;
    private readonly int _unknownId;
    private readonly bool _byteFallback;
    private readonly double _unknownScore;
    private readonly bool _singlePrecision;
    private readonly int[] _fallbackIds = new int[256];

    // A trie: (node, byte) to (child, id of the token that ends in child or -1).
    private readonly PairTable _children;

    /// <param name="vocabulary">Sealed; ids are places in <paramref name="tokens"/>.</param>
    /// <param name="unknownId">-1: none.</param>
    public UnigramModel(Vocabulary vocabulary, IReadOnlyList<byte[]> tokens, double[] scores, int unknownId, bool byteFallback)
        : this(vocabulary, tokens, scores, unknownId, byteFallback, (scores.Length == 0 ? 0 : scores.Min()) - UnknownPenalty, singlePrecision: false)
    {
    }

    private UnigramModel(Vocabulary vocabulary, IReadOnlyList<byte[]> tokens, double[] scores, int unknownId, bool byteFallback, double unknownScore, bool singlePrecision)
    {
        Vocabulary = vocabulary;
        _scores = scores;
        _unknownId = unknownId;
        _byteFallback = byteFallback;
        _unknownScore = unknownScore;
        _singlePrecision = singlePrecision;
        _children = new PairTable(tokens.Count * 2);
        var nodes = 1;
        for (var id = 0; id < tokens.Count; id++)
        {
            if (!double.IsNaN(scores[id]))
            {
                nodes = AddToTrie(tokens[id], nodes);
            }
        }

        for (var value = 0; value < 256; value++)
        {
            _fallbackIds[value] = vocabulary.IdOf($"<0x{value:X2}>");
        }
    }

    /// <inheritdoc/>
    public override Vocabulary Vocabulary { get; }

    /// <summary>The model as SentencePiece runs it: sums in float32, and user-defined pieces before all others.</summary>
    /// <param name="vocabulary">Sealed; ids are places in <paramref name="tokens"/>.</param>
    /// <param name="scores">NaN where a token is never made of text.</param>
    /// <param name="unknownScore">Score of an unknown character.</param>
    public static UnigramModel ForSentencePiece(Vocabulary vocabulary, IReadOnlyList<byte[]> tokens, double[] scores, int unknownId, bool byteFallback, float unknownScore) =>
        new(vocabulary, tokens, scores, unknownId, byteFallback, unknownScore, singlePrecision: true);

    /// <summary>What an unknown character scores below the lowest token.</summary>
    public const double UnknownPenalty = 10.0;

    /// <inheritdoc/>
    public override void Tokenize(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.IsEmpty)
        {
            return;
        }

        var utf8 = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, utf8);
        var length = utf8.Length;
        var starts = ArrayPool<int>.Shared.Rent(length + 1);
        var best = ArrayPool<double>.Shared.Rent(length + 1);
        var tokenIds = ArrayPool<int>.Shared.Rent(length + 1);
        try
        {
            FindBestPath(utf8, starts, best, tokenIds);
            var cuts = new List<(int Start, int End)>();
            for (var end = length; end > 0;)
            {
                // A row of unknown characters is one piece.
                var start = starts[end];
                while (_unknownId >= 0 && tokenIds[end] == _unknownId && start > 0 && tokenIds[start] == _unknownId)
                {
                    start = starts[start];
                }

                cuts.Add((start, end));
                end = start;
            }

            for (var i = cuts.Count - 1; i >= 0; i--)
            {
                var (start, end) = cuts[i];
                if (_singlePrecision && tokenIds[end] != _unknownId)
                {
                    ids.Add(tokenIds[end]);
                    continue;
                }

                AddIds(utf8.AsSpan(start, end - start), ids);
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(starts);
            ArrayPool<double>.Shared.Return(best);
            ArrayPool<int>.Shared.Return(tokenIds);
        }
    }

    private int AddToTrie(byte[] token, int nodes)
    {
        var node = 0;
        for (var i = 0; i < token.Length; i++)
        {
            if (!_children.TryGet(node, token[i], out var child, out var id))
            {
                child = nodes++;
            }

            _children.Set(node, token[i], child, i == token.Length - 1 ? Vocabulary.IdOf(token) : id);
            node = child;
        }

        return nodes;
    }

    private void FindBestPath(ReadOnlySpan<byte> utf8, int[] starts, double[] best, int[] tokenIds)
    {
        Array.Fill(starts, -1, 0, utf8.Length + 1);
        best[0] = 0;
        for (var start = 0; start < utf8.Length;)
        {
            var width = Utf8.CharacterLength(utf8[start]);
            var hasSingle = false;
            var node = 0;
            for (var end = start; end < utf8.Length && _children.TryGet(node, utf8[end], out var child, out var id); end++)
            {
                node = child;
                if (id >= 0)
                {
                    Offer(start, end + 1, id, best[start] + _scores[id]);
                    hasSingle |= end + 1 - start == width;
                }
            }

            if (!hasSingle)
            {
                if (_unknownId < 0)
                {
                    throw new TokenizerFormatException("The text has a character that the Unigram model does not know, and the file has no unk_id; set model.unk_id.");
                }

                Offer(start, start + width, _unknownId, best[start] + _unknownScore);
            }

            start += width;
        }

        void Offer(int start, int end, int id, double score)
        {
            if (starts[end] < 0 || score > best[end])
            {
                starts[end] = start;
                best[end] = _singlePrecision ? (float)score : score;
                tokenIds[end] = id;
            }
        }
    }

    private void AddIds(ReadOnlySpan<byte> text, List<int> ids)
    {
        var id = Vocabulary.IdOf(text);
        if (id >= 0 && !_singlePrecision)
        {
            ids.Add(id);
            return;
        }

        var fallsBack = _byteFallback;
        foreach (var value in text)
        {
            fallsBack &= _fallbackIds[value] >= 0;
        }

        if (!fallsBack)
        {
            ids.Add(_unknownId);
            return;
        }

        foreach (var value in text)
        {
            ids.Add(_fallbackIds[value]);
        }
    }
}
