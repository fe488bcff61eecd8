namespace Fastgen.Engine.Text.Models;

/// <summary>Finds the longest of some pieces at the begin of a text.</summary>
internal sealed class PieceTrie
{
    // (node, byte) to (child, number of the piece that ends in child or -1).
    private readonly PairTable _children = new(16);
    private int _nodes = 1;

    /// <summary>Whether there is no piece.</summary>
    public bool IsEmpty => _nodes == 1;

    /// <summary>Adds a piece, UTF-8 and not empty.</summary>
    public void Add(ReadOnlySpan<byte> piece, int number)
    {
        var node = 0;
        for (var i = 0; i < piece.Length; i++)
        {
            if (!_children.TryGet(node, piece[i], out var child, out var ends))
            {
                child = _nodes++;
            }

            _children.Set(node, piece[i], child, i == piece.Length - 1 ? number : ends);
            node = child;
        }
    }

    /// <summary>Bytes of the longest piece at the begin of <paramref name="text"/>, or 0.</summary>
    public int Match(ReadOnlySpan<byte> text, out int number)
    {
        number = -1;
        var length = 0;
        for (int i = 0, node = 0; i < text.Length && _children.TryGet(node, text[i], out node, out var ends); i++)
        {
            if (ends >= 0)
            {
                (length, number) = (i + 1, ends);
            }
        }

        return length;
    }
}
