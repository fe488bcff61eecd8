using System.Text;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Builtins;

/// <summary>lipsum(): filler text, random as in the reference.</summary>
internal static class Lipsum
{
    private static readonly string[] Words =
    [
        "lorem", "ipsum", "dolor", "sit", "amet", "consectetuer", "adipiscing", "elit", "sed", "diam", "nonummy", "nibh", "euismod",
        "tincidunt", "ut", "laoreet", "magna", "aliquam", "erat", "volutpat", "enim", "ad", "minim", "veniam", "quis", "nostrud",
    ];

    public static Value Generate(CallArguments arguments)
    {
        Value?[] bound = arguments.Bind("generate_lorem_ipsum", "n? html? min? max?");
        int paragraphs = Coerce.Int(bound[0], 5);
        bool html = bound[1]?.IsTrue ?? true;
        int least = Coerce.Int(bound[2], 20);
        int most = Coerce.Int(bound[3], 100);
        if (most <= least)
        {
            throw TemplateError.Value($"empty range for randrange() ({least}, {most}, {(long)most - least})");
        }

        var output = new TextBuffer();
        for (int i = 0; i < paragraphs; i++)
        {
            string text = Paragraph(Random.Shared.Next(least, most));
            output.Append(i == 0 ? "" : html ? "\n" : "\n\n").Append(html ? $"<p>{text}</p>" : text);
        }

        return new StrValue(output.ToString(), html);
    }

    private static string Paragraph(int words)
    {
        var text = new StringBuilder();
        int sentenceLeft = 0;
        for (int i = 0; i < words; i++)
        {
            RenderBudget.Current.Step();
            string word = Words[Random.Shared.Next(Words.Length)];
            if (sentenceLeft == 0)
            {
                text.Append(i == 0 ? "" : ". ").Append(CaseMapping.Capitalize(word));
                sentenceLeft = Random.Shared.Next(6, 14);
            }
            else
            {
                text.Append(' ').Append(word);
            }

            sentenceLeft--;
        }

        RenderBudget.Current.Chars(text.Length);
        return text.Append('.').ToString();
    }
}
