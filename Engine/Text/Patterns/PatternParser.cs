using System.Globalization;
using System.Text;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <summary>Parses Oniguruma's Ruby syntax, as far as tokenizers use it.</summary>
/// <remarks>
/// Differences to .NET that matter: code points instead of UTF-16 units, nested and intersected classes, <c>++</c> is possessive
/// but <c>{n,m}+</c> repeats the repetition, <c>^</c> and <c>$</c> are line anchors, <c>\h</c> is a hexadecimal digit.
/// </remarks>
internal sealed partial class PatternParser
{
    private const int MaxDepth = 64;
    private const int MaxRepeat = 1000;
    private readonly string _pattern;
    private int _position;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotMatchesNewLine;
    private bool _extended;

    private PatternParser(string pattern) => _pattern = pattern;

    /// <summary>Parses a pattern.</summary>
    /// <exception cref="TokenizerFormatException">The pattern is malformed or uses what is not supported.</exception>
    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        var node = parser.ParseAlternatives();
        return parser._position == pattern.Length ? node : throw parser.Error("an unmatched ')'");
    }

    private PatternNode ParseAlternatives()
    {
        if (++_depth > MaxDepth)
        {
            throw Error($"groups nested deeper than {MaxDepth}");
        }

        var (oldCase, oldDot, oldExtended) = (_ignoreCase, _dotMatchesNewLine, _extended);
        var alternatives = new List<PatternNode> { ParseSequence() };
        while (TryTake('|'))
        {
            alternatives.Add(ParseSequence());
        }

        (_ignoreCase, _dotMatchesNewLine, _extended) = (oldCase, oldDot, oldExtended);
        _depth--;
        return alternatives.Count == 1 ? alternatives[0] : new PatternNode.Alternatives(alternatives);
    }

    private PatternNode ParseSequence()
    {
        var items = new List<PatternNode>();
        while (_position < _pattern.Length && _pattern[_position] is not ('|' or ')'))
        {
            if (_extended && SkipExtendedSpace())
            {
                continue;
            }

            var atom = ParseAtom();
            if (atom is not null)
            {
                items.Add(ParseQuantifiers(atom));
            }
        }

        return items.Count == 1 ? items[0] : items.Count == 0 ? new PatternNode.Empty() : new PatternNode.Sequence(items);
    }

    private bool SkipExtendedSpace()
    {
        if (_pattern[_position] == '#')
        {
            while (_position < _pattern.Length && _pattern[_position] != '\n')
            {
                _position++;
            }

            return true;
        }

        if (!char.IsWhiteSpace(_pattern[_position]))
        {
            return false;
        }

        _position++;
        return true;
    }

    private PatternNode? ParseAtom()
    {
        var c = _pattern[_position];
        switch (c)
        {
            case '(':
                _position++;
                return ParseGroup();
            case '[':
                _position++;
                return SetNode(ParseClass());
            case '.':
                _position++;
                return new PatternNode.Set(_dotMatchesNewLine ? CodePointSet.Where(_ => true) : CodePointSet.Where(x => x != '\n'));
            case '^':
                _position++;
                return new PatternNode.Assertion(Anchor.LineStart);
            case '$':
                _position++;
                return new PatternNode.Assertion(Anchor.LineEnd);
            case '*' or '+' or '?':
                throw Error("a repetition of nothing");
            case '\\':
                _position++;
                return ParseEscape();
            default:
                return SetNode(CodePointSet.Single(TakeCodePoint()));
        }
    }

    private PatternNode.Set SetNode(CodePointSet set) => new(_ignoreCase ? set.IgnoringCase() : set);

    private PatternNode? ParseGroup()
    {
        if (!TryTake('?'))
        {
            return Close(ParseAlternatives());
        }

        if (TryTake(':'))
        {
            return Close(ParseAlternatives());
        }

        if (TryTake('='))
        {
            return new PatternNode.Look(Close(ParseAlternatives()), Ahead: true, Negative: false);
        }

        if (TryTake('!'))
        {
            return new PatternNode.Look(Close(ParseAlternatives()), Ahead: true, Negative: true);
        }

        if (TryTake('>'))
        {
            return new PatternNode.Atomic(Close(ParseAlternatives()));
        }

        if (TryTake('#'))
        {
            var end = _pattern.IndexOf(')', _position);
            _position = end < 0 ? throw Error("a comment without ')'") : end + 1;
            return null;
        }

        if (TryTake('<'))
        {
            if (TryTake('='))
            {
                return new PatternNode.Look(Close(ParseAlternatives()), Ahead: false, Negative: false);
            }

            if (TryTake('!'))
            {
                return new PatternNode.Look(Close(ParseAlternatives()), Ahead: false, Negative: true);
            }

            var end = _pattern.IndexOf('>', _position);
            _position = end < 0 ? throw Error("a group name without '>'") : end + 1;
            return Close(ParseAlternatives());
        }

        return ParseOptions();
    }

    private PatternNode ParseOptions()
    {
        var (oldCase, oldDot, oldExtended) = (_ignoreCase, _dotMatchesNewLine, _extended);
        var on = true;
        while (_position < _pattern.Length)
        {
            var option = _pattern[_position++];
            switch (option)
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm':
                    _dotMatchesNewLine = on;
                    break;
                case 'x':
                    _extended = on;
                    break;
                case ')':
                    // Holds to the end of the enclosing group, alternatives included, as Ruby has it.
                    return ParseAlternativesWithOptions();
                case ':':
                    var body = ParseAlternativesWithOptions();
                    (_ignoreCase, _dotMatchesNewLine, _extended) = (oldCase, oldDot, oldExtended);
                    return Close(body);
                default:
                    throw Error($"the group option '{option}'");
            }
        }

        throw Error("a group without ')'");
    }

    private PatternNode ParseAlternativesWithOptions() => ParseAlternatives();

    private T Close<T>(T node) => TryTake(')') ? node : throw Error("a group without ')'");

    private bool TryTake(char c)
    {
        if (_position < _pattern.Length && _pattern[_position] == c)
        {
            _position++;
            return true;
        }

        return false;
    }

    private int TakeCodePoint()
    {
        var codePoint = CharProperties.CodePointAt(_pattern, _position, out var units);
        _position += units;
        return codePoint;
    }

    private TokenizerFormatException Error(string what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"The regular expression \"{Shorten()}\" has {what} at character {_position}, which is not supported; write it with groups, classes, repetitions and lookaround."));

    private string Shorten() => _pattern.Length <= 200 ? _pattern : new StringBuilder(_pattern, 0, 200, 203).Append("...").ToString();
}
