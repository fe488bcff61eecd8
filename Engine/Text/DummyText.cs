using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.Text;

/// <summary>Tokenizer and chat template for a config.json that comes alone, so that a server of random weights has text to send.</summary>
/// <remarks>Ids 0 to 2 are special, 3 to 258 are the bytes, and every later id is a space and four letters: about as long as a real
/// model's tokens. Text is encoded as one token per byte; a prompt of a given length is better sent as token ids.</remarks>
internal static class DummyText
{
    private const int Letters = 26;
    private const int WordLetters = 4;

    private static readonly string[] Special = ["<unk>", "<s>", "</s>"];

    /// <param name="vocabularySize">Ids 0 to this less one are known, as far as there are words of four letters (457,235 ids).</param>
    public static Tokenizer Tokenizer(int vocabularySize) => Text.Tokenizer.Parse(Json(vocabularySize));

    public static ChatTemplateSet Templates() => ChatTemplateSet.FromText(
        "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");

    private static byte[] Json(int vocabularySize)
    {
        var buffer = new ArrayBufferWriter<byte>(vocabularySize * 16);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("version", "1.0");
            writer.WriteStartArray("added_tokens");
            for (int id = 0; id < Special.Length; id++)
            {
                WriteSpecial(writer, id);
            }

            writer.WriteEndArray();
            WriteByteLevel(writer, "pre_tokenizer");
            WriteByteLevel(writer, "decoder");
            writer.WriteStartObject("model");
            writer.WriteString("type", "BPE");
            writer.WriteStartObject("vocab");
            int last = (int)Math.Min(vocabularySize, Special.Length + 256 + Math.Pow(Letters, WordLetters));
            for (int id = 0; id < last; id++)
            {
                writer.WriteNumber(Token(id), id);
            }

            writer.WriteEndObject();
            writer.WriteStartArray("merges");
            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string Token(int id)
    {
        if (id < Special.Length)
        {
            return Special[id];
        }

        int index = id - Special.Length;
        return index < 256
            ? ByteAlphabet.ToChar((byte)index).ToString(CultureInfo.InvariantCulture)
            : string.Create(WordLetters + 1, index - 256, static (word, number) =>
            {
                word[0] = ByteAlphabet.ToChar((byte)' ');
                for (int i = WordLetters; i > 0; i--)
                {
                    word[i] = (char)('a' + (number % Letters));
                    number /= Letters;
                }
            });
    }

    private static void WriteSpecial(Utf8JsonWriter writer, int id)
    {
        writer.WriteStartObject();
        writer.WriteNumber("id", id);
        writer.WriteString("content", Special[id]);
        foreach (string flag in (string[])["single_word", "lstrip", "rstrip", "normalized"])
        {
            writer.WriteBoolean(flag, false);
        }

        writer.WriteBoolean("special", true);
        writer.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter writer, string name)
    {
        writer.WriteStartObject(name);
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", false);
        writer.WriteBoolean("trim_offsets", true);
        writer.WriteBoolean("use_regex", false);
        writer.WriteEndObject();
    }
}
