using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary><c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.</summary>
internal sealed class Gpt2WordScanner : WordScanner
{
    private const CharClass Worded = CharClass.Letter | CharClass.Number | CharClass.Space;

    /// <inheritdoc/>
    public override int WordEnd(ReadOnlySpan<char> text, int start)
    {
        var contraction = Contraction(text, start, ignoreCase: false);
        if (contraction > start)
        {
            return contraction;
        }

        var body = text[start] == ' ' && start + 1 < text.Length ? start + 1 : start;
        var classes = ClassAt(text, body, out _);
        return (classes & CharClass.Letter) != 0 ? RunOf(text, body, CharClass.Letter)
            : (classes & CharClass.Number) != 0 ? RunOf(text, body, CharClass.Number)
            : (classes & CharClass.Space) == 0 ? RunWithout(text, body, Worded)
            : Spaces(text, start);
    }
}
