using System.Text.Json;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads <c>model.merges</c>: strings "left right" in old files, pairs in new ones.</summary>
internal static class MergeReader
{
    /// <summary>The merges by the ids of their sides; the value is rank and merged id.</summary>
    public static PairTable Read(ReadOnlySpan<byte> json, Vocabulary vocabulary, string continuingPrefix)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error("model.merges", "must be an array");
        }

        var table = new PairTable(vocabulary.Count * 2);
        var prefixBytes = System.Text.Encoding.UTF8.GetByteCount(continuingPrefix);
        var scratch = new byte[256];
        var rank = 0;
        JsonTokenType? form = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            form ??= reader.TokenType;
            if (reader.TokenType != form)
            {
                throw Error($"model.merges[{rank}]", "must have the form of the merges before it");
            }

            if (!ReadMerge(ref reader, ref scratch, rank, out var length, out var split))
            {
                continue;
            }

            AddMerge(table, vocabulary, scratch, length, split, prefixBytes, rank++);
        }

        return table;
    }

    // Puts both sides into the scratch without gap; false for the version line of old files.
    private static bool ReadMerge(ref Utf8JsonReader reader, ref byte[] scratch, int rank, out int length, out int split)
    {
        length = split = 0;
        if (reader.TokenType == JsonTokenType.String)
        {
            length = Copy(ref reader, ref scratch, 0);
            var text = scratch.AsSpan(0, length);
            if (text.StartsWith("#version"u8))
            {
                return false;
            }

            split = text.IndexOf((byte)' ');
            if (split < 0 || text[(split + 1)..].Contains((byte)' '))
            {
                throw Error($"model.merges[{rank}]", $"is \"{System.Text.Encoding.UTF8.GetString(text)}\" but must be two tokens with a space between");
            }

            text[(split + 1)..].CopyTo(text[split..]);
            length--;
            return true;
        }

        if (reader.TokenType == JsonTokenType.StartArray
            && reader.Read() && reader.TokenType == JsonTokenType.String)
        {
            split = Copy(ref reader, ref scratch, 0);
            if (reader.Read() && reader.TokenType == JsonTokenType.String)
            {
                length = split + Copy(ref reader, ref scratch, split);
                if (reader.Read() && reader.TokenType == JsonTokenType.EndArray)
                {
                    return true;
                }
            }
        }

        throw Error($"model.merges[{rank}]", "must be a string or a pair of strings");
    }

    private static int Copy(ref Utf8JsonReader reader, ref byte[] scratch, int at)
    {
        var needed = at + reader.ValueSpan.Length;
        if (needed > scratch.Length)
        {
            Array.Resize(ref scratch, Math.Max(needed, scratch.Length * 2));
        }

        if (!reader.ValueIsEscaped)
        {
            reader.ValueSpan.CopyTo(scratch.AsSpan(at));
            return reader.ValueSpan.Length;
        }

        return reader.CopyString(scratch.AsSpan(at));
    }

    private static void AddMerge(PairTable table, Vocabulary vocabulary, byte[] scratch, int length, int split, int prefixBytes, int rank)
    {
        var left = vocabulary.IdOf(scratch.AsSpan(0, split));
        var right = vocabulary.IdOf(scratch.AsSpan(split, length - split));
        var merged = -1;
        if (left >= 0 && right >= 0 && prefixBytes <= length - split)
        {
            // The right side continues a word; its mark does not show in what the two become.
            if (prefixBytes > 0)
            {
                scratch.AsSpan((split + prefixBytes)..length).CopyTo(scratch.AsSpan(split));
            }

            merged = vocabulary.IdOf(scratch.AsSpan(0, length - prefixBytes));
        }

        if (merged < 0)
        {
            throw Error($"model.merges[{rank}]", "names a token that is not in model.vocab");
        }

        table.Set(left, right, rank, merged);
    }

    private static TokenizerFormatException Error(string path, string what) => new JsonPart(default, path).Error(what);
}
