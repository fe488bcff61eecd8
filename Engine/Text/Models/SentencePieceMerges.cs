using Fastgen.Engine.Text.Loading;

namespace Fastgen.Engine.Text.Models;

/// <summary>The merges that the pieces of a SentencePiece BPE model imply.</summary>
internal sealed class SentencePieceMerges
{
    private SentencePieceMerges(SentencePieceFile file, Vocabulary vocabulary)
    {
        Vocabulary = vocabulary;
        PieceCount = file.Pieces.Count;
        Merges = new PairTable(PieceCount * 2);
    }

    /// <summary>All pieces.</summary>
    public Vocabulary Vocabulary { get; }

    /// <summary>What can stand in a row of symbols: pieces by their ids, and from <see cref="PieceCount"/> on characters that pieces have, but that are no pieces.</summary>
    public Vocabulary Symbols { get; } = new();

    /// <summary>Number of pieces.</summary>
    public int PieceCount { get; }

    /// <summary>From pairs of symbols to rank and merged symbol.</summary>
    public PairTable Merges { get; }

    /// <summary>Pieces that stand as they are wherever their text is.</summary>
    public PieceTrie UserDefined { get; } = new();

    /// <summary>Unused pieces and the symbols that stand for them.</summary>
    public Dictionary<int, int[]> Unused { get; } = [];

    /// <param name="vocabulary">All pieces, sealed.</param>
    public static SentencePieceMerges Of(SentencePieceFile file, Vocabulary vocabulary)
    {
        var result = new SentencePieceMerges(file, vocabulary);
        for (var id = 0; id < file.Pieces.Count; id++)
        {
            var (text, _, type) = file.Pieces[id];
            if (type is SentencePieceType.Normal or SentencePieceType.UserDefined or SentencePieceType.Unused)
            {
                result.Symbols.Add(text, id);
            }

            if (type == SentencePieceType.UserDefined)
            {
                result.UserDefined.Add(text, id);
            }
        }

        result.AddCharacters(file);
        result.AddMerges(file);
        result.Symbols.Seal();
        result.ResolveUnused(file);
        return result;
    }

    private static bool CanMerge(SentencePieceType type) => type is SentencePieceType.Normal or SentencePieceType.Unused;

    // Two characters may merge though neither of them is a piece.
    private void AddCharacters(SentencePieceFile file)
    {
        var next = PieceCount;
        foreach (var (text, _, type) in file.Pieces)
        {
            for (var i = 0; i < text.Length && CanMerge(type);)
            {
                var character = text.AsSpan(i, Utf8.CharacterLength(text[i]));
                i += character.Length;
                if (Symbols.IdOf(character) < 0)
                {
                    Symbols.Add(character, next++);
                }
            }
        }
    }

    private void AddMerges(SentencePieceFile file)
    {
        // Equal scores are one rank: then what stands further left goes first.
        var rank = -1;
        var last = float.NaN;
        foreach (var id in Enumerable.Range(0, PieceCount).Where(id => CanMerge(file.Pieces[id].Type)).OrderByDescending(id => file.Pieces[id].Score))
        {
            var (text, score, _) = file.Pieces[id];
            rank += score == last ? 0 : 1;
            last = score;
            for (var cut = Utf8.CharacterLength(text[0]); cut < text.Length; cut += Utf8.CharacterLength(text[cut]))
            {
                var left = Symbols.IdOf(text.AsSpan(0, cut));
                var right = Symbols.IdOf(text.AsSpan(cut));
                if (left >= 0 && right >= 0 && IsFree(file, left) && IsFree(file, right))
                {
                    Merges.Set(left, right, rank, id);
                }
            }
        }
    }

    private bool IsFree(SentencePieceFile file, int symbol) => symbol >= PieceCount || CanMerge(file.Pieces[symbol].Type);

    // An unused piece falls apart into what its own text merges to without it.
    private void ResolveUnused(SentencePieceFile file)
    {
        var merger = new SymbolMerger(Merges);
        foreach (var id in Enumerable.Range(0, PieceCount).Where(id => file.Pieces[id].Type == SentencePieceType.Unused).OrderBy(id => file.Pieces[id].Text.Length))
        {
            var text = file.Pieces[id].Text;
            var symbols = new List<int>();
            for (var i = 0; i < text.Length;)
            {
                var length = Utf8.CharacterLength(text[i]);
                symbols.Add(Symbols.IdOf(text.AsSpan(i, length)));
                i += length;
            }

            if (symbols.Count == 1)
            {
                // SentencePiece keeps an unused character that has nothing to fall apart into.
                continue;
            }

            var row = symbols.ToArray();
            var count = merger.Merge(row, except: id);
            Unused[id] = [.. row.AsSpan(0, count).ToArray().SelectMany(part => Unused.GetValueOrDefault(part, [part]))];
        }
    }
}
