namespace Fastgen.Engine.Text.Patterns;

/// <content>Character classes in brackets.</content>
internal sealed partial class PatternParser
{
    private CodePointSet ParseClass()
    {
        if (++_depth > MaxDepth)
        {
            throw Error($"classes nested deeper than {MaxDepth}");
        }

        var negative = TryTake('^');
        CodePointSet? intersection = null;
        var parts = new List<CodePointSet>();
        var first = true;
        while (true)
        {
            if (_position >= _pattern.Length)
            {
                throw Error("a class without ']'");
            }

            // A ']' that comes first stands for itself.
            if (_pattern[_position] == ']' && !(first && _pattern.IndexOf(']', _position + 1) > 0))
            {
                _position++;
                break;
            }

            first = false;
            if (_pattern[_position] == '&' && _position + 1 < _pattern.Length && _pattern[_position + 1] == '&')
            {
                _position += 2;
                intersection = Intersect(intersection, parts);
                parts = [];
                continue;
            }

            parts.Add(ParseClassItem());
        }

        _depth--;
        return Negate(negative, Intersect(intersection, parts));
    }

    private static CodePointSet Intersect(CodePointSet? left, List<CodePointSet> parts)
    {
        var right = parts.Count == 0 ? CodePointSet.Where(_ => false) : CodePointSet.Union(parts);
        return left is null ? right : left.And(right);
    }

    private CodePointSet ParseClassItem()
    {
        if (TryTake('['))
        {
            return _position < _pattern.Length && _pattern[_position] == ':' && TryParsePosix(out var posix) ? posix : ParseClass();
        }

        int low;
        if (_pattern[_position] == '\\')
        {
            _position++;
            if (_position == _pattern.Length)
            {
                throw Error("a backslash at the end");
            }

            if (_pattern[_position] is 'd' or 'D' or 'w' or 'W' or 's' or 'S' or 'h' or 'H' or 'p' or 'P')
            {
                return ParseEscapedSet();
            }

            low = TryTake('b') ? '\b' : ParseEscapedCodePoint();
        }
        else
        {
            low = TakeCodePoint();
        }

        if (_position + 1 >= _pattern.Length || _pattern[_position] != '-' || _pattern[_position + 1] is ']')
        {
            return CodePointSet.Single(low);
        }

        _position++;
        int high;
        if (_pattern[_position] == '\\')
        {
            _position++;
            if (_position == _pattern.Length || _pattern[_position] is 'd' or 'D' or 'w' or 'W' or 's' or 'S' or 'h' or 'H' or 'p' or 'P')
            {
                throw Error("a range that ends in a set");
            }

            high = ParseEscapedCodePoint();
        }
        else
        {
            high = TakeCodePoint();
        }

        return high >= low ? CodePointSet.Range(low, high) : throw Error("a range whose end is below its start");
    }

    private bool TryParsePosix(out CodePointSet set)
    {
        set = null!;
        var end = _pattern.IndexOf(":]", _position + 1, StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }

        var name = _pattern[(_position + 1)..end];
        var negative = name.StartsWith('^');
        var found = UnicodeProperty.Posix(negative ? name[1..] : name);
        if (found is null)
        {
            return false;
        }

        _position = end + 2;
        set = Negate(negative, found);
        return true;
    }

    private static CodePointSet Negate(bool negative, CodePointSet set) => negative ? set.Not() : set;
}
