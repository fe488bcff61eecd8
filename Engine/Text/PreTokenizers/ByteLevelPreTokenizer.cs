using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>GPT-2's words, in the byte-level alphabet.</summary>
/// <param name="map">False: the model maps the bytes itself.</param>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex, bool map) : PreTokenizer
{
    private static readonly WordScanner Words = new Gpt2WordScanner();

    /// <summary>The same without mapping.</summary>
    public ByteLevelPreTokenizer WithoutMapping() => new(addPrefixSpace, useRegex, map: false);

    /// <summary>The scanner when it does nothing else but map; null otherwise.</summary>
    public WordScanner? PlainWords => useRegex && !addPrefixSpace ? Words : null;

    /// <summary>Whether it does nothing but map.</summary>
    public bool OnlyMaps => !addPrefixSpace && !useRegex;

    /// <inheritdoc/>
    public override void Split(Piece piece, List<Piece> output)
    {
        if (addPrefixSpace && !(piece.Length > 0 && piece.Text[0] == ' '))
        {
            piece = new Piece(" " + piece.Text.ToString(), 0, piece.Length + 1, piece.AtStart);
        }

        var first = output.Count;
        if (useRegex)
        {
            Words.Split(piece, output);
        }
        else
        {
            output.Add(piece);
        }

        for (var i = first; map && i < output.Count; i++)
        {
            var mapped = ByteAlphabet.Map(output[i].Text);
            output[i] = new Piece(mapped, 0, mapped.Length, output[i].AtStart);
        }
    }
}
