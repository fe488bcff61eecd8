using System.Diagnostics.CodeAnalysis;
using Fastgen.Engine.Text.Templates.Builtins;
using Fastgen.Engine.Text.Templates.Python;

namespace Fastgen.Engine.Text.Templates.Values;

/// <summary>str, or markupsafe's Markup: a str known to be HTML, which escapes what is added to it.</summary>
/// <remarks>Python counts code points, .NET UTF-16 units; positions and lengths here are Python's.</remarks>
internal sealed class StrValue(string text, bool isMarkup = false) : Value
{
    public static readonly StrValue Empty = new("");
    private int _codePoints = -1;

    public string Text { get; } = text;

    public bool IsMarkup { get; } = isMarkup;

    public override string TypeName => IsMarkup ? "Markup" : "str";

    public override bool IsTrue => Text.Length > 0;

    public override bool IsIterable => true;

    public override int? Length => CodePoints;

    public int CodePoints => _codePoints >= 0 ? _codePoints : _codePoints = PythonText.CodePoints(Text);

    /// <summary>True when every position is the same in Python's counting and ours.</summary>
    public bool IsFlat => CodePoints == Text.Length;

    public override string Str() => Text;

    public override void WriteStr(TextBuffer output) => output.Append(Text);

    public override void WriteRepr(TextBuffer output)
    {
        if (IsMarkup)
        {
            output.Append("Markup(");
        }

        StringRepr.Write(Text, output);
        if (IsMarkup)
        {
            output.Append(')');
        }
    }

    public override IEnumerable<Value> Iterate()
    {
        for (int i = 0; i < Text.Length;)
        {
            int width = PythonText.WidthAt(Text, i);
            yield return new StrValue(Text.Substring(i, width));
            i += width;
        }
    }

    public override IEnumerable<Value>? IterateReversed() => Iterate().Reverse();

    public override bool TryGetItem(Value key, [NotNullWhen(true)] out Value? value)
    {
        value = null;
        if (!SliceBounds.TryIndex(key, CodePoints, out int index))
        {
            return false;
        }

        int offset = IsFlat ? index : PythonText.OffsetOf(Text, index);
        value = new StrValue(Text.Substring(offset, PythonText.WidthAt(Text, offset)), IsMarkup);
        return true;
    }

    public override Value GetSlice(SliceBounds bounds)
    {
        (int first, int step, int count) = bounds.Resolve(CodePoints);
        if (count == 0)
        {
            return IsMarkup ? new StrValue("", true) : Empty;
        }

        if (step == 1)
        {
            int from = IsFlat ? first : PythonText.OffsetOf(Text, first);
            int to = IsFlat ? first + count : PythonText.OffsetOf(Text, first + count);
            return new StrValue(Text[from..to], IsMarkup);
        }

        RenderBudget.Current.Step(count);
        int[] offsets = PythonText.Offsets(Text);
        var output = new TextBuffer();
        for (int i = 0; i < count; i++)
        {
            int index = first + (i * step);
            output.Append(Text.AsSpan(offsets[index], offsets[index + 1] - offsets[index]));
        }

        return new StrValue(output.ToString(), IsMarkup);
    }

    public override bool TryGetAttribute(string name, [NotNullWhen(true)] out Value? value) => StringMethods.TryGet(this, name, out value);

    public override bool PythonEquals(Value other) => other is StrValue text && text.Text == Text;

    public override int PythonHash() => Text.GetHashCode(StringComparison.Ordinal);

    public override bool Contains(Value item) => item is StrValue text
        ? Text.Contains(text.Text, StringComparison.Ordinal)
        : throw TemplateError.Type($"'in <string>' requires string as left operand, not {item.TypeName}");
}
