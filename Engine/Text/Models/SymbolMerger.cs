using System.Buffers;

namespace Fastgen.Engine.Text.Models;

/// <summary>Applies merges to a row of symbols, lowest rank first, leftmost first among equals.</summary>
internal sealed class SymbolMerger(PairTable merges)
{
    // Below this a scan for the lowest rank beats keeping a heap.
    private const int SmallCount = 48;
    private const int NoRank = int.MaxValue;

    /// <summary>Merges in place and returns how many symbols are left.</summary>
    public int Merge(Span<int> symbols) =>
        symbols.Length < 2 ? symbols.Length : symbols.Length <= SmallCount ? MergeSmall(symbols) : MergeLarge(symbols);

    /// <summary>Merges in place, one symbol never made, and returns how many symbols are left. For short rows.</summary>
    public int Merge(Span<int> symbols, int except)
    {
        var count = symbols.Length;
        while (true)
        {
            int best = -1, bestRank = NoRank, bestMerged = -1;
            for (var i = 0; i + 1 < count; i++)
            {
                var rank = Rank(symbols[i], symbols[i + 1], out var merged);
                if (rank < bestRank && merged != except)
                {
                    (best, bestRank, bestMerged) = (i, rank, merged);
                }
            }

            if (best < 0)
            {
                return count;
            }

            symbols[best] = bestMerged;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            count--;
        }
    }

    private int MergeSmall(Span<int> symbols)
    {
        var count = symbols.Length;
        Span<int> ranks = stackalloc int[SmallCount];
        Span<int> merged = stackalloc int[SmallCount];
        for (var i = 0; i + 1 < count; i++)
        {
            ranks[i] = Rank(symbols[i], symbols[i + 1], out merged[i]);
        }

        while (count > 1)
        {
            int best = 0, bestRank = ranks[0];
            for (var i = 1; i < count - 1; i++)
            {
                if (ranks[i] < bestRank)
                {
                    bestRank = ranks[i];
                    best = i;
                }
            }

            if (bestRank == NoRank)
            {
                break;
            }

            symbols[best] = merged[best];
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            merged[(best + 1)..(count - 1)].CopyTo(merged[best..]);
            count--;
            if (best > 0)
            {
                ranks[best - 1] = Rank(symbols[best - 1], symbols[best], out merged[best - 1]);
            }

            if (best < count - 1)
            {
                ranks[best] = Rank(symbols[best], symbols[best + 1], out merged[best]);
            }
        }

        return count;
    }

    // A linked list of symbols and a heap of (rank, position): n log n, however long the piece.
    private int MergeLarge(Span<int> symbols)
    {
        var count = symbols.Length;
        var rented = ArrayPool<int>.Shared.Rent(count * 4);
        var heap = new RankHeap(count);
        try
        {
            var next = rented.AsSpan(0, count);
            var previous = rented.AsSpan(count, count);
            var ranks = rented.AsSpan(count * 2, count);
            var merged = rented.AsSpan(count * 3, count);
            for (var i = 0; i < count; i++)
            {
                next[i] = i + 1;
                previous[i] = i - 1;
                ranks[i] = i + 1 < count ? Rank(symbols[i], symbols[i + 1], out merged[i]) : NoRank;
                if (ranks[i] != NoRank)
                {
                    heap.Push(ranks[i], i);
                }
            }

            while (heap.TryPop(out var rank, out var at))
            {
                // An entry that does not agree with the rank kept for its position is of a pair that is gone.
                if (ranks[at] != rank)
                {
                    continue;
                }

                var right = next[at];
                symbols[at] = merged[at];
                ranks[right] = NoRank;
                next[at] = next[right];
                if (next[at] < count)
                {
                    previous[next[at]] = at;
                    Renew(at, symbols, next, ranks, merged, ref heap);
                }
                else
                {
                    ranks[at] = NoRank;
                }

                if (previous[at] >= 0)
                {
                    Renew(previous[at], symbols, next, ranks, merged, ref heap);
                }
            }

            var kept = 0;
            for (var i = 0; i < count; i = next[i])
            {
                symbols[kept++] = symbols[i];
            }

            return kept;
        }
        finally
        {
            ArrayPool<int>.Shared.Return(rented);
            heap.Dispose();
        }
    }

    private void Renew(int at, Span<int> symbols, Span<int> next, Span<int> ranks, Span<int> merged, ref RankHeap heap)
    {
        ranks[at] = Rank(symbols[at], symbols[next[at]], out merged[at]);
        if (ranks[at] != NoRank)
        {
            heap.Push(ranks[at], at);
        }
    }

    private int Rank(int left, int right, out int merged) => merges.TryGet(left, right, out var rank, out merged) ? rank : NoRank;
}
