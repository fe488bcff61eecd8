using System.Text;

namespace Fastgen.Tools.FgBench;

/// <summary>English prose for measurements: sentences and paragraphs of common words, with names, numbers and punctuation; the same on every machine.</summary>
internal static class EnglishText
{
    // The most frequent words first; the draw follows Zipf's law.
    private const string Common = """
        the of and to a in that is was he for it with as his on be at by had not are but from or have an they which one you were all her she
        there would their we him been has when who will no more if out so up said what its about than into them can only other time new some
        could these two may first then do any like my now over such our man me even most made after also did many off before must well back
        through years much where your way down should because long each just state those people too little good world make very year still see
        work life being against never day under another while last might great since against used general water system house during without
        place around however home small found thought part school high upon once number until always away something fact though public hand
        night almost became enough government between
        """;

    private const string Rare = """
        measurement translation throughput architecture neighbourhood remember development understanding particular international university
        experience available although possible information economic industrial conversation independent philosophy temperature atmosphere
        manufacture photographs extraordinary laboratory responsibility satisfaction acknowledged circumstances archaeological breathtaking
        Mediterranean Shakespeare Edinburgh Washington Cambridge hydrogen transistor compiler tokenizer scheduler asynchronous bandwidth
        unquestionably thoroughly counterintuitive mathematician electromagnetic preposterous lighthouse watercolour harpsichord
        """;

    /// <summary>So many characters of prose.</summary>
    public static string Make(int length)
    {
        var random = new Random(20261120);
        var common = Common.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var rare = Rare.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var text = new StringBuilder(length + 200);
        while (text.Length < length)
        {
            var words = random.Next(6, 22);
            for (var i = 0; i < words; i++)
            {
                var word = random.Next(9) == 0 ? rare[random.Next(rare.Length)] : common[(int)(Math.Pow(common.Length, random.NextDouble()) - 1)];
                word = random.Next(60) == 0 ? Invent(random) : random.Next(50) == 0 ? random.Next(1, 3000).ToString(System.Globalization.CultureInfo.InvariantCulture) : word;
                text.Append(i == 0 ? char.ToUpperInvariant(word[0]) + word[1..] : word);
                text.Append(i == words - 1 ? "" : random.Next(12) == 0 ? ", " : random.Next(90) == 0 ? "'s " : " ");
            }

            text.Append(random.Next(12) switch { 0 => "!", 1 => "?", 2 => ".\"", _ => "." });
            text.Append(random.Next(6) == 0 ? "\n\n" : " ");
        }

        return text.ToString(0, length);
    }

    // Names and words that no cache has seen.
    private static string Invent(Random random)
    {
        const string Consonants = "bcdfghklmnprstvwz";
        const string Vowels = "aeiouy";
        var word = new StringBuilder();
        for (var syllables = random.Next(2, 5); syllables > 0; syllables--)
        {
            word.Append(Consonants[random.Next(Consonants.Length)]).Append(Vowels[random.Next(Vowels.Length)]);
        }

        return word.ToString();
    }
}
