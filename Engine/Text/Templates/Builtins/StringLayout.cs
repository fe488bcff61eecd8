using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>str methods that pad, expand and translate.</summary>
internal static class StringLayout
{
    /// <summary>Arguments: width, fillchar.</summary>
    public static string Pad(string text, Value?[] a, char align)
    {
        string fill = a[1] is null ? " " : Coerce.Str(a[1], "fill character");
        return PythonText.CodePoints(fill) == 1 ? Pad(text, Coerce.Int(a[0], 0), fill, align) : throw TemplateError.Type("The fill character must be exactly one character long");
    }

    public static string Pad(string text, int width, string fill, char align)
    {
        int missing = width - PythonText.CodePoints(text);
        if (missing <= 0)
        {
            return text;
        }

        // str.center puts the odd character left when the width is odd.
        int left = align switch { '<' => 0, '>' => missing, _ => (missing / 2) + (missing & width & 1) };
        RenderBudget.Current.Chars(((long)missing * fill.Length) + text.Length);
        return Repeat(fill, left) + text + Repeat(fill, missing - left);
    }

    public static string Repeat(string text, int count) => text.Length == 1 ? new string(text[0], count) : string.Concat(Enumerable.Repeat(text, count));

    public static string ZeroFill(string text, int width)
    {
        string sign = text.StartsWith('-') || text.StartsWith('+') ? text[..1] : "";
        return sign + Pad(text[sign.Length..], width - sign.Length, "0", '>');
    }

    public static string ExpandTabs(string text, int size)
    {
        var output = new TextBuffer();
        int column = 0;
        for (int i = 0; i < text.Length;)
        {
            int width = PythonText.WidthAt(text, i);
            if (text[i] == '\t')
            {
                int spaces = size > 0 ? size - (column % size) : 0;
                output.Append(' ', spaces);
                column += spaces;
            }
            else
            {
                output.Append(text.AsSpan(i, width));
                column = text[i] is '\n' or '\r' ? 0 : column + 1;
            }

            i += width;
        }

        return output.ToString();
    }

    /// <summary>str.translate with a dict (or any indexable) from code points to code points, text or None.</summary>
    public static string Translate(string text, Value table)
    {
        if (text.Length > 0 && table is not (DictValue or SequenceValue or StrValue or RangeValue or BytesValue))
        {
            throw table is UndefinedValue undefined ? undefined.Failure() : TemplateError.Type($"'{table.TypeName}' object is not subscriptable");
        }

        var output = new TextBuffer();
        for (int i = 0; i < text.Length;)
        {
            RenderBudget.Current.Step();
            int width = PythonText.WidthAt(text, i);
            int codePoint = PythonText.CodePointAt(text, i);
            if (!table.TryGetItem(IntValue.Of(codePoint), out Value? mapped))
            {
                output.Append(text.AsSpan(i, width));
            }
            else if (mapped is not NoneValue)
            {
                output.Append(mapped switch
                {
                    StrValue replacement => replacement.Text,
                    NumberValue { IsInteger: true } number when number.Integer >= 0 && number.Integer <= 0x10FFFF => Character((int)number.Integer),
                    _ => throw TemplateError.Type("character mapping must return integer, None or str"),
                });
            }

            i += width;
        }

        return output.ToString();
    }

    /// <summary>str.maketrans: a dict, or two texts of equal length and a third to delete.</summary>
    public static DictValue MakeTranslation(Value?[] a)
    {
        var table = new DictValue();
        if (a[1] is null)
        {
            DictValue source = a[0] as DictValue ?? throw TemplateError.Type("if you give only one argument to maketrans it must be a dict");
            foreach (KeyValuePair<Value, Value> entry in source.Entries)
            {
                table.Set(entry.Key is StrValue { CodePoints: 1 } key ? IntValue.Of(PythonText.CodePointAt(key.Text, 0)) : entry.Key is StrValue ? throw TemplateError.Value("string keys in translate table must be of length 1") : entry.Key, entry.Value);
            }

            return table;
        }

        int[] from = [.. CharacterTests.CodePoints(Coerce.Str(a[0], "maketrans argument"))];
        int[] to = [.. CharacterTests.CodePoints(Coerce.Str(a[1], "maketrans argument"))];
        if (from.Length != to.Length)
        {
            throw TemplateError.Value("the first two maketrans arguments must have equal length");
        }

        for (int i = 0; i < from.Length; i++)
        {
            table.Set(IntValue.Of(from[i]), IntValue.Of(to[i]));
        }

        foreach (int codePoint in a[2] is null ? [] : CharacterTests.CodePoints(Coerce.Str(a[2], "maketrans argument")))
        {
            table.Set(IntValue.Of(codePoint), NoneValue.Instance);
        }

        return table;
    }

    public static string Character(int codePoint) => codePoint < 0x10000 ? ((char)codePoint).ToString() : char.ConvertFromUtf32(codePoint);
}
