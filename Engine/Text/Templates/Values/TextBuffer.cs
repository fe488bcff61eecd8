using System.Text;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>Growing text that stops at the rendering's limit.</summary>
internal sealed class TextBuffer
{
    private readonly StringBuilder _text = new();
    private readonly RenderBudget _budget = RenderBudget.Current;
    private readonly int _limit;

    public TextBuffer() => _limit = _budget.Limits.MaxTextChars;

    public int Length => _text.Length;

    public TextBuffer Append(string text)
    {
        Check(text.Length);
        _text.Append(text);
        return this;
    }

    public TextBuffer Append(ReadOnlySpan<char> text)
    {
        Check(text.Length);
        _text.Append(text);
        return this;
    }

    public TextBuffer Append(char character)
    {
        Check(1);
        _text.Append(character);
        return this;
    }

    public TextBuffer Append(char character, int count)
    {
        if (count > 0)
        {
            Check(count);
            _text.Append(character, count);
        }

        return this;
    }

    public override string ToString()
    {
        _budget.Chars(_text.Length);
        return _text.ToString();
    }

    private void Check(int more)
    {
        if ((long)_text.Length + more > _limit)
        {
            throw new TemplateError(ErrorKind.Limit, $"The template produced more than {_limit:N0} characters; shorten the conversation or correct the template.");
        }
    }
}
