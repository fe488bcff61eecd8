using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>Cuts where the script changes; kana count as Han, and spaces belong to any script.</summary>
internal sealed class UnicodeScriptsPreTokenizer : PreTokenizer
{
    private static readonly int Han = Scripts.ByName("Han");
    private static readonly int Hiragana = Scripts.ByName("Hiragana");
    private static readonly int Katakana = Scripts.ByName("Katakana");

    /// <inheritdoc/>
    public override void Split(Piece piece, List<Piece> output)
    {
        var text = piece.Text;
        int start = -1, last = Scripts.None;
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CharProperties.CodePointAt(text, i, out var units);
            var script = ScriptOf(codePoint);
            if (script != Scripts.None)
            {
                if (script != last)
                {
                    Emit(start, i);
                    start = i;
                }

                last = script;
            }

            i += units;
        }

        Emit(start, text.Length);

        // Spaces before the first character with a script belong to no part, and are lost in the reference too.
        void Emit(int from, int to)
        {
            if (from >= 0)
            {
                output.Add(new Piece(piece.Source, piece.Start + from, to - from, piece.AtStart && from == 0));
            }
        }
    }

    private static int ScriptOf(int codePoint)
    {
        if (codePoint == ' ')
        {
            return Scripts.None;
        }

        var script = codePoint == 0x30FC ? Han : Scripts.Of(codePoint);
        return script == Hiragana || script == Katakana ? Han : script;
    }
}
