using System.Text.Unicode;
using Fastgen.Contracts;

namespace Fastgen.OpenAI.Responses;

/// <summary>The two shapes of <c>logprobs</c>.</summary>
internal static class LogprobsJson
{
    /// <summary>The entries of <c>logprobs.content</c> of a chat.</summary>
    /// <param name="written">Entries that the array already holds.</param>
    public static void WriteChat(ref Utf8Output output, IReadOnlyList<TokenLogprob> logprobs, int written)
    {
        foreach (TokenLogprob logprob in logprobs)
        {
            output.Raw(written++ == 0 ? "{"u8 : ",{"u8);
            WriteChatToken(ref output, logprob);
            output.Raw(",\"top_logprobs\":["u8);
            if (logprob.Top is { } top)
            {
                for (int i = 0; i < top.Count; i++)
                {
                    output.Raw(i == 0 ? "{"u8 : ",{"u8);
                    WriteChatToken(ref output, top[i]);
                    output.Raw("}"u8);
                }
            }

            output.Raw("]}"u8);
        }
    }

    /// <summary>The <c>logprobs</c> object of a completion: four parallel arrays.</summary>
    /// <param name="textOffset">Where the first token begins in the choice's text, in characters (code points); moved behind the last.</param>
    public static void WriteLegacy(ref Utf8Output output, IReadOnlyList<TokenLogprob> logprobs, ref int textOffset)
    {
        output.Raw("{\"tokens\":["u8);
        for (int i = 0; i < logprobs.Count; i++)
        {
            output.Raw(i == 0 ? "\""u8 : ",\""u8);
            WriteLegacyToken(ref output, logprobs[i]);
            output.Raw("\""u8);
        }

        output.Raw("],\"token_logprobs\":["u8);
        for (int i = 0; i < logprobs.Count; i++)
        {
            Separate(ref output, i);
            output.Logprob(logprobs[i].Logprob);
        }

        output.Raw("],\"top_logprobs\":["u8);
        for (int i = 0; i < logprobs.Count; i++)
        {
            Separate(ref output, i);
            WriteLegacyTop(ref output, logprobs[i]);
        }

        output.Raw("],\"text_offset\":["u8);
        for (int i = 0; i < logprobs.Count; i++)
        {
            Separate(ref output, i);
            output.Number(textOffset);
            textOffset += CountCharacters(logprobs[i].Token);
        }

        output.Raw("]}"u8);
    }

    /// <summary>Code points, which is what Python clients index text by.</summary>
    public static int CountCharacters(string text)
    {
        int count = text.Length;
        foreach (char unit in text)
        {
            count -= char.IsLowSurrogate(unit) ? 1 : 0;
        }

        return count;
    }

    private static void WriteChatToken(ref Utf8Output output, TokenLogprob logprob)
    {
        output.Raw("\"token\":\""u8);
        output.Text(logprob.Token);
        output.Raw("\",\"logprob\":"u8);
        output.Logprob(logprob.Logprob);
        output.Raw(",\"bytes\":["u8);
        for (int i = 0; i < logprob.Bytes.Length; i++)
        {
            Separate(ref output, i);
            output.Number(logprob.Bytes[i]);
        }

        output.Raw("]"u8);
    }

    /// <summary>The chosen token and its alternatives as one object; the chosen one is there even when it is not among the best.</summary>
    private static void WriteLegacyTop(ref Utf8Output output, TokenLogprob chosen)
    {
        bool chosenIsWritten = false;
        int count = 0;
        output.Raw("{"u8);
        if (chosen.Top is { } top)
        {
            for (int i = 0; i < top.Count; i++)
            {
                chosenIsWritten |= top[i].TokenId == chosen.TokenId;
                WriteLegacyEntry(ref output, top[i], count++);
            }
        }

        if (!chosenIsWritten)
        {
            WriteLegacyEntry(ref output, chosen, count);
        }

        output.Raw("}"u8);
    }

    private static void WriteLegacyEntry(ref Utf8Output output, TokenLogprob logprob, int index)
    {
        output.Raw(index == 0 ? "\""u8 : ",\""u8);
        WriteLegacyToken(ref output, logprob);
        output.Raw("\":"u8);
        output.Logprob(logprob.Logprob);
    }

    /// <summary>Tokens that are parts of a character are shown as <c>bytes:\xf0\x9f</c>, or they would all be the same key.</summary>
    private static void WriteLegacyToken(ref Utf8Output output, TokenLogprob logprob)
    {
        if (Utf8.IsValid(logprob.Bytes))
        {
            output.Text(logprob.Token);
            return;
        }

        output.Raw("bytes:"u8);
        ReadOnlySpan<byte> digits = "0123456789abcdef"u8;
        foreach (byte value in logprob.Bytes)
        {
            output.Raw("\\\\x"u8);
            output.Raw([digits[value >> 4], digits[value & 15]]);
        }
    }

    private static void Separate(ref Utf8Output output, int index)
    {
        if (index > 0)
        {
            output.Raw(","u8);
        }
    }
}
