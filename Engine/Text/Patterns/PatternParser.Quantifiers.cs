using System.Globalization;

namespace Fastgen.Engine.Text.Patterns;

/// <content>How often something repeats.</content>
internal sealed partial class PatternParser
{
    private PatternNode ParseQuantifiers(PatternNode atom)
    {
        while (_position < _pattern.Length)
        {
            int min, max;
            var interval = false;
            switch (_pattern[_position])
            {
                case '*':
                    (min, max) = (0, int.MaxValue);
                    _position++;
                    break;
                case '+':
                    (min, max) = (1, int.MaxValue);
                    _position++;
                    break;
                case '?':
                    (min, max) = (0, 1);
                    _position++;
                    break;
                case '{' when TryParseInterval(out min, out max):
                    interval = true;
                    break;
                default:
                    return atom;
            }

            var mode = RepeatMode.Greedy;
            if (TryTake('?'))
            {
                mode = RepeatMode.Lazy;
            }
            else if (!interval && TryTake('+'))
            {
                mode = RepeatMode.Possessive;
            }

            atom = new PatternNode.Repeat(atom, min, max, mode);
        }

        return atom;
    }

    private bool TryParseInterval(out int min, out int max)
    {
        min = 0;
        max = int.MaxValue;
        var end = _pattern.IndexOf('}', _position);
        if (end < 0)
        {
            return false;
        }

        var parts = _pattern[(_position + 1)..end].Split(',');
        var valid = parts.Length is 1 or 2 && parts.Any(part => part.Length > 0)
            && parts.All(part => part.All(char.IsAsciiDigit)) && (parts.Length == 2 || parts[0].Length > 0);
        if (!valid)
        {
            return false;
        }

        min = parts[0].Length == 0 ? 0 : ParseCount(parts[0]);
        max = parts.Length == 1 ? min : parts[1].Length == 0 ? int.MaxValue : ParseCount(parts[1]);
        if (max < min)
        {
            throw Error("an interval whose upper bound is below its lower bound");
        }

        _position = end + 1;
        return true;
    }

    private int ParseCount(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= MaxRepeat
            ? count
            : throw Error($"a repetition of more than {MaxRepeat}");
}
