using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Patterns;
using Fastgen.Engine.Text.PreTokenizers;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class PatternTests
{
    [Fact]
    public void RandomPatternsMatchAsDotNetRegexDoes()
    {
        var random = new Random(7);
        for (var round = 0; round < 1500; round++)
        {
            var pattern = RandomPattern(random, 3);
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => "aabbc \n1"[random.Next(8)]));
            Assert.True(FindByDotNet(pattern, text).SequenceEqual(Find(pattern, text)), $"pattern {pattern} on \"{text}\"");
        }
    }

    [Theory]
    [InlineData(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    [InlineData(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    public void HandWrittenScannersEqualTheirPatterns(string pattern)
    {
        var scanner = WordScanner.ForPattern(pattern);
        Assert.NotNull(scanner);
        var random = new Random(11);
        var regex = new RegexPattern(pattern);
        for (var round = 0; round < 1000; round++)
        {
            var text = SyntheticTokenizer.RandomText(random, random.Next(1, 24));
            var pieces = new List<Piece>();
            scanner.Split(new Piece(text, 0, text.Length, true), pieces);
            var expected = Find(regex, text).Select(match => text[match.Start..match.End]);
            Assert.Equal(expected, pieces.Select(piece => piece.Text.ToString()));
        }
    }

    [Theory]
    [InlineData(@"\p{L}+", "𝔘a𞤀 b", "𝔘a𞤀|b")]
    [InlineData(@"[\p{Lu}\p{M}&&[^A]]+", "AB\u0301CA", "B\u0301C")]
    [InlineData(@"[^(\s|[.,!?])]+", "ab,cd (ef)", "ab|cd|ef")]
    [InlineData(@"\p{Han}+|\p{^Han}+", "世界ab", "世界|ab")]
    [InlineData(@"(?i)STRASSE|ſ", "strasse S", "strasse|S")]
    [InlineData(@"a++b|a+", "aab aa", "aab|aa")]
    [InlineData(@"a{2}+", "aaaaa", "aaaa")]
    [InlineData(@"(?<=x)\d(?!\d)", "x1 x23 y4 x5", "1|5")]
    [InlineData(@"(?<!\d)\d{2}(?!\d)", "12 345 67", "12|67")]
    [InlineData(@"\d{1,3}(?=(?:\d{3})*\b)", "1234567 12", "1|234|567|12")]
    [InlineData(@"[[:punct:]]+|[\x{4e00}-\x{9fff}]", "a--世", "--|世")]
    [InlineData(@"^b$", "a\nb\nc", "b")]
    [InlineData(@"(?>a|ab)c|ab", "abc ac", "ab|ac")]
    [InlineData(@"\h+", "xfFg", "fF")]
    public void OnigurumaSyntax(string pattern, string text, string expected) =>
        Assert.Equal(expected, string.Join('|', Find(pattern, text).Select(match => text[match.Start..match.End])));

    [Theory]
    [InlineData(@"(a")]
    [InlineData(@"[a")]
    [InlineData(@"a)")]
    [InlineData(@"\p{NoSuchThing}")]
    [InlineData(@"(a)\1")]
    [InlineData(@"*a")]
    [InlineData(@"\")]
    [InlineData(@"(?<=a+)b")]
    [InlineData(@"(?:(?:ab){1000}){1000}")]
    public void RefusesWhatItDoesNotSupport(string pattern) => Assert.Throws<TokenizerFormatException>(() => Find(pattern, "aaa"));

    [Theory]
    [InlineData(@"(a+)+b")]
    [InlineData(@"(a|a)*c")]
    [InlineData(@"(?:a*)*b")]
    [InlineData(@"a*a*a*a*b")]
    [InlineData(@"a{1,3}(?=(?:a{3})*(?!a))")]
    [InlineData(@"\s+$|a*?b")]
    public void HostilePatternsTakeLinearTime(string pattern)
    {
        var clock = Stopwatch.StartNew();
        var small = new string('a', 20_000);
        var pieces = new List<PatternPiece>();
        new RegexPattern(pattern).FindMatches(small, pieces);

        // Backtracking without memory would need thousands of years for most of these.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"took {clock.Elapsed}");
        Assert.Equal(small.Length, pieces.Sum(piece => piece.End - piece.Start));
    }

    private static IEnumerable<(int Start, int End)> Find(string pattern, string text) => Find(new RegexPattern(pattern), text);

    private static IEnumerable<(int Start, int End)> Find(RegexPattern pattern, string text)
    {
        var pieces = new List<PatternPiece>();
        pattern.FindMatches(text, pieces);
        return pieces.Where(piece => piece.IsMatch && (text.Length > 0 || piece.End > 0)).Select(piece => (piece.Start, piece.End));
    }

    // Oniguruma's iteration: no empty match right behind the match before it.
    private static IEnumerable<(int Start, int End)> FindByDotNet(string pattern, string text)
    {
        var regex = new Regex(pattern, RegexOptions.Multiline | RegexOptions.CultureInvariant);
        var lastEnd = -1;
        for (var from = 0; from <= text.Length && regex.Match(text, from) is { Success: true } match;)
        {
            var end = match.Index + match.Length;
            from = match.Length == 0 && end == lastEnd ? end + 1 : end;
            if (match.Length > 0 || end != lastEnd)
            {
                yield return (match.Index, end);
                lastEnd = end;
            }
        }
    }

    // Only what both syntaxes read alike.
    private static string RandomPattern(Random random, int depth)
    {
        var pattern = new StringBuilder();
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            pattern.Append(random.Next(depth > 0 ? 11 : 6) switch
            {
                0 => "a",
                1 => "b",
                2 => "[ab]",
                3 => "[^a\\s]",
                4 => "\\s",
                5 => "\\b",
                6 => $"(?:{RandomPattern(random, depth - 1)}|{RandomPattern(random, depth - 1)})",
                7 => $"(?={RandomPattern(random, depth - 1)})",
                8 => $"(?!{RandomPattern(random, depth - 1)})",
                9 => $"(?>{RandomPattern(random, depth - 1)})",
                _ => $"(?:{RandomPattern(random, depth - 1)})" + Quantifier(random, lazy: false),
            });
            if (pattern[^1] is not (')' or 'b' or '+' or '*' or '?' or '}'))
            {
                pattern.Append(Quantifier(random));
            }
        }

        return pattern.ToString();
    }

    // Lazy loops around what may be empty are left out: there regular expression engines differ.
    private static string Quantifier(Random random, bool lazy = true) => random.Next(lazy ? 7 : 5) switch
    {
        0 => "+",
        1 => "*",
        2 => "?",
        3 => "{1,2}",
        4 => "",
        5 => "+?",
        _ => "*?",
    };
}
