using System.Text;

namespace Fastgen.Engine.UnitTests.Fuzzing;

/// <summary>Damages bytes at random: flips, cuts, repeats, moves, numbers at the edges, and pieces of the format where they do not belong.</summary>
/// <remarks>Linked into other test projects; the same seed gives the same damage on every machine.</remarks>
/// <param name="dictionary">Pieces of the format.</param>
internal sealed class ByteMutator(Random random, IReadOnlyList<string> dictionary)
{
    private static readonly string[] Numbers = ["0", "-1", "1", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "18446744073709551616", "1e308", "1e999", "-0.0", "0.5", "null", "true", "\"\"", "[]", "{}"];

    private static readonly string[] Texts = ["\0", "\u0001", "\"", "\\", "\\u0000", "\\ud800", "\uFEFF", "\u2581", "\u0301", "😀", "{", "}", "[", "]", ",", ":", "\n", "(", ")*", "(?=", "[^", "\\p{L}+"];

    /// <summary>A damaged copy.</summary>
    public byte[] Mutate(byte[] original)
    {
        var bytes = new List<byte>(original);
        for (var rounds = 1 + random.Next(4); rounds > 0; rounds--)
        {
            MutateOnce(bytes);
        }

        return [.. bytes];
    }

    private void MutateOnce(List<byte> bytes)
    {
        if (bytes.Count == 0)
        {
            bytes.AddRange(Encoding.UTF8.GetBytes(Pick(dictionary)));
            return;
        }

        var at = random.Next(bytes.Count);
        switch (random.Next(11))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                Remove(bytes, at, Length(bytes.Count - at));
                break;
            case 3:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 4:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, Length(bytes.Count - at)));
                break;
            case 5:
                // Many times the same, which nests or repeats.
                var part = bytes.GetRange(at, Math.Min(bytes.Count - at, 1 + random.Next(24)));
                bytes.InsertRange(at, Enumerable.Repeat(part, 1 + random.Next(300)).SelectMany(copy => copy));
                break;
            case 6:
                bytes.InsertRange(at, Enumerable.Range(0, 1 + random.Next(16)).Select(_ => (byte)random.Next(256)));
                break;
            case 7:
                ReplaceNumber(bytes, at);
                break;
            case 8:
                var length = Length(bytes.Count - at);
                var moved = bytes.GetRange(at, length);
                bytes.RemoveRange(at, length);
                bytes.InsertRange(random.Next(bytes.Count + 1), moved);
                break;
            case 9:
                bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pick(Texts)));
                break;
            default:
                bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pick(dictionary)));
                break;
        }
    }

    // The next run of digits becomes another value, or a string does.
    private void ReplaceNumber(List<byte> bytes, int at)
    {
        var start = bytes.FindIndex(at, value => value is >= (byte)'0' and <= (byte)'9');
        if (start < 0)
        {
            return;
        }

        var end = start;
        while (end < bytes.Count && bytes[end] is >= (byte)'0' and <= (byte)'9')
        {
            end++;
        }

        bytes.RemoveRange(start, end - start);
        bytes.InsertRange(start, Encoding.UTF8.GetBytes(Pick(Numbers)));
    }

    private static void Remove(List<byte> bytes, int at, int count) => bytes.RemoveRange(at, count);

    // Mostly short, now and then long.
    private int Length(int most) => Math.Min(most, 1 + random.Next(random.Next(4) == 0 ? Math.Max(1, most) : 12));

    private string Pick(IReadOnlyList<string> from) => from.Count == 0 ? "" : from[random.Next(from.Count)];
}
