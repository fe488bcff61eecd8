using Fastgen.Engine.Text.Templates.Python;

namespace Fastgen.Engine.Text.Templates.Syntax;

/// <summary>Splits a template into tokens and settles its whitespace: trim_blocks and lstrip_blocks are on, as HuggingFace sets them.</summary>
internal sealed class Lexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly Dictionary<string, string> _names = [];
    private readonly Stack<char> _brackets = new();
    private int _position;
    private int _line = 1;
    private int _lineCountedTo;
    private bool _afterNewline = true;

    private Lexer(string source)
    {
        _source = NormalizeNewlines(source);
        if (_source.EndsWith('\n'))
        {
            _source = _source[..^1];
        }

        // The engine sets these itself; scopes compare names by reference.
        foreach (string name in (ReadOnlySpan<string>)["loop", "caller", "varargs", "kwargs", "self", "super"])
        {
            _names[name] = name;
        }
    }

    public static List<Token> Tokenize(string source)
    {
        var lexer = new Lexer(source);
        lexer.Run();
        return lexer._tokens;
    }

    public static string NormalizeNewlines(string text) =>
        text.Contains('\r', StringComparison.Ordinal) ? text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n') : text;

    private void Run()
    {
        while (_position < _source.Length)
        {
            int tag = FindTag(_position);
            if (tag < 0)
            {
                AddData(_source[_position..]);
                break;
            }

            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : '\0';
            AddData(TrimBefore(_source[_position..tag], sign, kind));
            _position = tag + 2 + (sign == '\0' ? 0 : 1);
            switch (kind)
            {
                case '#':
                    SkipComment();
                    break;
                case '%' when RawBodyStart(_position) is >= 0 and var body:
                    ReadRaw(body);
                    break;
                case '%':
                    Add(TokenKind.BlockBegin, "{%");
                    ReadTag(isBlock: true);
                    break;
                default:
                    Add(TokenKind.VariableBegin, "{{");
                    ReadTag(isBlock: false);
                    break;
            }
        }

        _position = _source.Length;
        Add(TokenKind.End, "");
    }

    private int FindTag(int from)
    {
        for (int i = from; ; i++)
        {
            i = _source.IndexOf('{', i);
            if (i < 0 || i + 1 >= _source.Length)
            {
                return -1;
            }

            if (_source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }
    }

    private string TrimBefore(string text, char sign, char kind)
    {
        if (sign == '-')
        {
            return PythonText.TrimEnd(text);
        }

        if (sign == '+' || kind == '{')
        {
            return text;
        }

        int lineStart = text.LastIndexOf('\n') + 1;
        return (lineStart > 0 || _afterNewline) && PythonText.IsSpace(text.AsSpan(lineStart)) ? text[..lineStart] : text;
    }

    private void SkipComment()
    {
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0 && _position >= _source.Length)
        {
            // As in the reference, a tag that opens at the very end has nothing to close.
            return;
        }

        if (end < 0)
        {
            throw Fail("Missing end of comment tag");
        }

        // {#- with nothing between: its sign may not double as the closing one.
        CloseTag(end, end > _position ? _source[end - 1] : '\0', trimNewline: true);
    }

    /// <summary>Where the text of a raw block starts, or -1 when this tag is none.</summary>
    private int RawBodyStart(int position)
    {
        int i = SkipSpace(position);
        if (string.CompareOrdinal(_source, i, "raw", 0, 3) != 0)
        {
            return -1;
        }

        i = SkipSpace(i + 3);
        if (Matches(i, "-%}"))
        {
            return SkipSpace(i + 3);
        }

        return Matches(i, "%}") ? i + 2 : -1;
    }

    private void ReadRaw(int body)
    {
        _afterNewline = _source[body - 1] == '\n';
        for (int i = body; (i = _source.IndexOf("{%", i, StringComparison.Ordinal)) >= 0; i++)
        {
            int j = i + 2;
            char sign = j < _source.Length && _source[j] is '-' or '+' ? _source[j++] : '\0';
            j = SkipSpace(j);
            if (!Matches(j, "endraw"))
            {
                continue;
            }

            j = SkipSpace(j + 6);
            char close = Matches(j, "-%}") || Matches(j, "+%}") ? _source[j++] : '\0';
            if (Matches(j, "%}"))
            {
                _position = body;
                AddData(TrimBefore(_source[body..i], sign, '%'));
                CloseTag(j, close, trimNewline: true);
                return;
            }
        }

        _position = body;
        if (body < _source.Length)
        {
            throw Fail("Missing end of raw directive");
        }
    }

    private void ReadTag(bool isBlock)
    {
        _brackets.Clear();
        while (true)
        {
            _position = SkipSpace(_position);
            if (_position >= _source.Length)
            {
                Add(TokenKind.End, "");
                return;
            }

            if (_brackets.Count == 0 && TryCloseTag(isBlock))
            {
                return;
            }

            char c = _source[_position];
            if (char.IsAsciiDigit(c))
            {
                ReadNumber();
            }
            else if (c == '_' || char.IsLetterOrDigit(c) || char.IsSurrogate(c))
            {
                ReadName();
            }
            else if (c is '"' or '\'')
            {
                ReadString(c);
            }
            else
            {
                ReadOperator();
            }
        }
    }

    private bool TryCloseTag(bool isBlock)
    {
        string end = isBlock ? "%}" : "}}";
        char sign = '\0';
        int at = _position;
        if (Matches(at + 1, end) && (_source[at] == '-' || (isBlock && _source[at] == '+')))
        {
            sign = _source[at++];
        }
        else if (!Matches(at, end))
        {
            return false;
        }

        Add(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, end);
        CloseTag(at, sign, trimNewline: isBlock);
        return true;
    }

    /// <summary>Steps over a two-character end at <paramref name="end"/> and the whitespace that belongs to it.</summary>
    private void CloseTag(int end, char sign, bool trimNewline)
    {
        int next = end + 2;
        if (sign == '-')
        {
            next = SkipSpace(next);
        }
        else if (sign != '+' && trimNewline && next < _source.Length && _source[next] == '\n')
        {
            next++;
        }

        _afterNewline = _source[next - 1] == '\n';
        _position = next;
    }

    private void ReadNumber()
    {
        int start = _position;
        int end = NumberScanner.Scan(_source, start, out bool isFloat);
        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[start..end].Replace("_", "", StringComparison.Ordinal));
        _position = end;
    }

    private void ReadName()
    {
        int start = _position;
        while (_position < _source.Length && PythonText.IsWordAt(_source, _position))
        {
            _position += PythonText.WidthAt(_source, _position);
        }

        string name = _source[start.._position];
        if (name.Length == 0)
        {
            throw Fail($"unexpected char {StringRepr.Of(_source.Substring(start, PythonText.WidthAt(_source, start)))} at {start}");
        }

        if (!_names.TryGetValue(name, out string? shared))
        {
            _names[name] = shared = name;
        }

        _tokens.Add(new Token(TokenKind.Name, shared, LineAt(start)));
    }

    private void ReadString(char quote)
    {
        int start = _position;
        int i = start + 1;
        while (i < _source.Length && _source[i] != quote)
        {
            i += _source[i] == '\\' ? 2 : 1;
        }

        if (i >= _source.Length)
        {
            throw Fail($"unexpected char {StringRepr.Of(quote.ToString())} at {start}");
        }

        Add(TokenKind.String, StringEscapes.Decode(_source.AsSpan(start + 1, i - start - 1), LineAt(start)));
        _position = i + 1;
    }

    private void ReadOperator()
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_position);
        string text = rest switch
        {
            ['/', '/', ..] => "//",
            ['*', '*', ..] => "**",
            ['=', '=', ..] => "==",
            ['!', '=', ..] => "!=",
            ['>', '=', ..] => ">=",
            ['<', '=', ..] => "<=",
            [var c, ..] when "+-/*%~[](){}><=.:|,;".Contains(c, StringComparison.Ordinal) => c.ToString(),
            _ => throw Fail($"unexpected char {StringRepr.Of(rest[..1].ToString())} at {_position}"),
        };
        switch (text)
        {
            case "(": _brackets.Push(')'); break;
            case "[": _brackets.Push(']'); break;
            case "{": _brackets.Push('}'); break;
            case ")" or "]" or "}":
                if (!_brackets.TryPop(out char expected))
                {
                    throw Fail($"unexpected '{text}'");
                }

                if (expected != text[0])
                {
                    throw Fail($"unexpected '{text}', expected '{expected}'");
                }

                break;
        }

        Add(TokenKind.Operator, text);
        _position += text.Length;
    }

    private void AddData(string text)
    {
        if (text.Length > 0)
        {
            Add(TokenKind.Data, text);
        }
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, LineAt(_position)));

    private int LineAt(int position)
    {
        for (; _lineCountedTo < position; _lineCountedTo++)
        {
            _line += _source[_lineCountedTo] == '\n' ? 1 : 0;
        }

        return _line;
    }

    private int SkipSpace(int position)
    {
        while (position < _source.Length && PythonText.IsSpace(_source[position]))
        {
            position++;
        }

        return position;
    }

    private bool Matches(int position, string text) => string.CompareOrdinal(_source, position, text, 0, text.Length) == 0;

    private TemplateError Fail(string message) => new(ErrorKind.Syntax, message, LineAt(Math.Min(_position, _source.Length)));
}
