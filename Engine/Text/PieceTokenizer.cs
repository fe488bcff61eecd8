using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.PreTokenizers;

namespace Fastgen.Engine.Text;

/// <summary>Runs the pre-tokenizers and hands the pieces to the model.</summary>
internal sealed class PieceTokenizer
{
    private readonly PreTokenizer[] _preTokenizers;
    private readonly TokenModel _model;

    // Set when all there is to do is to scan words: then no list of pieces is needed.
    private readonly WordScanner? _scanner;

    public PieceTokenizer(IReadOnlyList<PreTokenizer> preTokenizers, TokenModel model)
    {
        _model = model;
        var chain = preTokenizers.ToList();
        if (chain.Count > 0 && chain[^1] is ByteLevelPreTokenizer last && model.TryTakePlainText())
        {
            chain.RemoveAt(chain.Count - 1);
            if (!last.OnlyMaps)
            {
                chain.Add(last.PlainWords ?? (PreTokenizer)last.WithoutMapping());
            }
        }

        _preTokenizers = [.. chain];
        _scanner = chain.Count == 1 ? chain[0] as WordScanner : null;
    }

    /// <summary>Appends the ids of a stretch of text.</summary>
    public void Tokenize(Piece text, List<int> ids)
    {
        if (_scanner is not null)
        {
            var span = text.Text;
            for (var start = 0; start < span.Length;)
            {
                var end = _scanner.WordEnd(span, start);
                _model.Tokenize(span[start..end], ids);
                start = end;
            }

            return;
        }

        if (_preTokenizers.Length == 0)
        {
            _model.Tokenize(text.Text, ids);
            return;
        }

        var pieces = new List<Piece> { text };
        var next = new List<Piece>();
        foreach (var preTokenizer in _preTokenizers)
        {
            next.Clear();
            foreach (var piece in pieces)
            {
                preTokenizer.Split(piece, next);
            }

            (pieces, next) = (next, pieces);
        }

        foreach (var piece in pieces)
        {
            _model.Tokenize(piece.Text, ids);
        }
    }
}
