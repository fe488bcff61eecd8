using System.Globalization;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <content>What follows a backslash.</content>
internal sealed partial class PatternParser
{
    private PatternNode ParseEscape()
    {
        if (_position == _pattern.Length)
        {
            throw Error("a backslash at the end");
        }

        switch (_pattern[_position])
        {
            case 'b':
                _position++;
                return new PatternNode.Assertion(Anchor.WordBoundary);
            case 'B':
                _position++;
                return new PatternNode.Assertion(Anchor.NotWordBoundary);
            case 'A':
                _position++;
                return new PatternNode.Assertion(Anchor.TextStart);
            case 'z':
                _position++;
                return new PatternNode.Assertion(Anchor.TextEnd);
            case 'Z':
                _position++;
                return new PatternNode.Assertion(Anchor.TextEndOrLastNewLine);
            case 'G':
                _position++;
                return new PatternNode.Assertion(Anchor.SearchStart);
            case 'R':
                _position++;
                return new PatternNode.Atomic(new PatternNode.Alternatives(
                [
                    new PatternNode.Sequence([new PatternNode.Set(CodePointSet.Single('\r')), new PatternNode.Set(CodePointSet.Single('\n'))]),
                    new PatternNode.Set(CodePointSet.Where(c => c is (>= 0x0A and <= 0x0D) or 0x85 or 0x2028 or 0x2029)),
                ]));
            case >= '1' and <= '9' or 'k' or 'g' or 'K' or 'X' or 'y' or 'Y':
                throw Error($"'\\{_pattern[_position]}'");
            default:
                return SetNode(ParseEscapedSet());
        }
    }

    // One escape that stands for a set or a code point, in and out of a class.
    private CodePointSet ParseEscapedSet()
    {
        var c = _pattern[_position];
        switch (c)
        {
            case 'd' or 'D':
                _position++;
                return Negate(c == 'D', CodePointSet.Categories(UnicodeCategory.DecimalDigitNumber));
            case 'w' or 'W':
                _position++;
                return Negate(c == 'W', CodePointSet.Where(CharProperties.IsWord));
            case 's' or 'S':
                _position++;
                return Negate(c == 'S', CodePointSet.Where(CharProperties.IsWhiteSpace));
            case 'h' or 'H':
                _position++;
                return Negate(c == 'H', CodePointSet.Where(x => x < 128 && char.IsAsciiHexDigit((char)x)));
            case 'p' or 'P':
                _position++;
                return ParseProperty(c == 'P');
            default:
                return CodePointSet.Single(ParseEscapedCodePoint());
        }
    }

    private int ParseEscapedCodePoint()
    {
        var c = _pattern[_position++];
        switch (c)
        {
            case 't': return '\t';
            case 'n': return '\n';
            case 'r': return '\r';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return '\a';
            case 'e': return 0x1B;
            case '0': return 0;
            case 'x' when TryTake('{'):
                var end = _pattern.IndexOf('}', _position);
                var braced = end < 0 ? throw Error("'\\x{' without '}'") : ParseHex(end - _position);
                _position = end + 1;
                return braced;
            case 'x':
                var length = 0;
                while (length < 2 && _position + length < _pattern.Length && char.IsAsciiHexDigit(_pattern[_position + length]))
                {
                    length++;
                }

                return ParseHex(length);
            case 'u':
                return ParseHex(4);
            default:
                _position--;
                return char.IsAsciiLetter(c) && c is 'c' or 'C' or 'M' ? throw Error($"'\\{c}'") : TakeCodePoint();
        }
    }

    private int ParseHex(int length)
    {
        if (length < 1 || _position + length > _pattern.Length
            || !int.TryParse(_pattern.AsSpan(_position, length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            || value is < 0 or > 0x10FFFF)
        {
            throw Error("a bad hexadecimal code point");
        }

        _position += length;
        return value;
    }

    private CodePointSet ParseProperty(bool negative)
    {
        if (!TryTake('{'))
        {
            throw Error("'\\p' without '{'");
        }

        negative ^= TryTake('^');
        var end = _pattern.IndexOf('}', _position);
        if (end < 0)
        {
            throw Error("'\\p{' without '}'");
        }

        var name = _pattern[_position..end];
        _position = end + 1;
        return Negate(negative, UnicodeProperty.ByName(name) ?? throw Error($"the property '{name}'"));
    }
}
