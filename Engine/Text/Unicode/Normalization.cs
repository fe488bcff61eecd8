using System.Collections.Frozen;
using System.Text;

namespace Fastgen.Engine.Text.Unicode;

/// <summary>NFC, NFD, NFKC and NFKD.</summary>
/// <remarks>
/// Own tables, because string.Normalize leaves everything but ASCII as it is under InvariantGlobalization.
/// Unicode Standard Annex 15.
/// </remarks>
internal static class Normalization
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, HangulCount = LeadCount * VowelCount * TrailCount;

    private static readonly FrozenDictionary<int, int[]> Canonical = ReadDecompositions(NormalizationData.Canonical);
    private static readonly FrozenDictionary<int, int[]> Compatibility = ReadDecompositions(NormalizationData.Compatibility);
    private static readonly FrozenDictionary<long, int> Composites = ReadCompositions();
    private static readonly FrozenDictionary<int, byte> Classes = ReadClasses();

    // Per UTF-16 unit, a bit for each form in which it may not stand by itself unchanged.
    private static readonly NormalizationForms[] Unstable = BuildUnstable();

    [Flags]
    private enum NormalizationForms : byte
    {
        None = 0,
        Canonical = 1,
        CanonicalComposed = 2,
        Compatible = 4,
        CompatibleComposed = 8,
    }

    /// <summary>Returns <paramref name="text"/> in the asked form; the same instance when it already is.</summary>
    public static string Normalize(string text, bool compatible, bool compose)
    {
        var form = (compatible, compose) switch
        {
            (false, false) => NormalizationForms.Canonical,
            (false, true) => NormalizationForms.CanonicalComposed,
            (true, false) => NormalizationForms.Compatible,
            _ => NormalizationForms.CompatibleComposed,
        };
        var unstable = FirstUnstable(text, 0, form);
        if (unstable == text.Length)
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 16);
        var window = new List<(int CodePoint, byte Class)>();
        var copied = 0;
        while (unstable < text.Length)
        {
            // A stable starter before the first unstable character may compose with it, so the window opens there.
            var from = unstable;
            if (from > copied)
            {
                from--;
                if (char.IsLowSurrogate(text[from]) && from > copied && char.IsHighSurrogate(text[from - 1]))
                {
                    from--;
                }
            }

            result.Append(text, copied, from - copied);
            var to = unstable;
            while (to < text.Length
                && ((Unstable[text[to]] & form) != 0 || (char.IsLowSurrogate(text[to]) && to > unstable && char.IsHighSurrogate(text[to - 1]))))
            {
                to++;
            }

            // A Hangul vowel or trailing consonant after a syllable is marked unstable itself, so nothing beyond composes.
            NormalizeWindow(text.AsSpan(from, to - from), compatible, compose, window, result);
            copied = to;
            unstable = FirstUnstable(text, to, form);
        }

        result.Append(text, copied, text.Length - copied);
        return result.ToString();
    }

    /// <summary>The canonical combining class.</summary>
    public static byte CombiningClass(int codePoint) => codePoint < 0x300 ? (byte)0 : Classes.GetValueOrDefault(codePoint);

    private static int FirstUnstable(string text, int start, NormalizationForms form)
    {
        var i = start;
        while (i < text.Length && (text[i] < 0x80 || (Unstable[text[i]] & form) == 0))
        {
            i++;
        }

        return i;
    }

    private static void NormalizeWindow(ReadOnlySpan<char> text, bool compatible, bool compose, List<(int CodePoint, byte Class)> window, StringBuilder result)
    {
        window.Clear();
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CharProperties.CodePointAt(text, i, out var units);
            i += units;
            Decompose(codePoint, compatible, window);
        }

        Reorder(window);
        if (compose)
        {
            Compose(window);
        }

        foreach (var (codePoint, _) in window)
        {
            if (codePoint < 0x10000)
            {
                result.Append((char)codePoint);
            }
            else
            {
                result.Append(char.ConvertFromUtf32(codePoint));
            }
        }
    }

    private static void Decompose(int codePoint, bool compatible, List<(int CodePoint, byte Class)> window)
    {
        var syllable = codePoint - HangulBase;
        if (syllable is >= 0 and < HangulCount)
        {
            window.Add((LeadBase + (syllable / (VowelCount * TrailCount)), 0));
            window.Add((VowelBase + (syllable % (VowelCount * TrailCount) / TrailCount), 0));
            if (syllable % TrailCount != 0)
            {
                window.Add((TrailBase + (syllable % TrailCount), 0));
            }

            return;
        }

        if ((compatible && Compatibility.TryGetValue(codePoint, out var parts)) || Canonical.TryGetValue(codePoint, out parts))
        {
            foreach (var part in parts)
            {
                window.Add((part, CombiningClass(part)));
            }

            return;
        }

        window.Add((codePoint, CombiningClass(codePoint)));
    }

    private static void Reorder(List<(int CodePoint, byte Class)> window)
    {
        for (var start = 0; start < window.Count;)
        {
            if (window[start].Class == 0)
            {
                start++;
                continue;
            }

            var end = start + 1;
            var sorted = true;
            while (end < window.Count && window[end].Class != 0)
            {
                sorted &= window[end - 1].Class <= window[end].Class;
                end++;
            }

            if (!sorted)
            {
                // A stable sort in n log n: a hostile text may hold a million marks in a row.
                var marks = window.GetRange(start, end - start).OrderBy(mark => mark.Class).ToArray();
                for (var i = 0; i < marks.Length; i++)
                {
                    window[start + i] = marks[i];
                }
            }

            start = end;
        }
    }

    private static void Compose(List<(int CodePoint, byte Class)> window)
    {
        int starter = -1, kept = 0;
        var lastClass = 0;
        for (var i = 0; i < window.Count; i++)
        {
            var (codePoint, combiningClass) = window[i];
            var blocked = starter < 0 || (kept - 1 != starter && (lastClass >= combiningClass || lastClass == 0));
            if (!blocked && TryCompose(window[starter].CodePoint, codePoint, out var composite))
            {
                window[starter] = (composite, window[starter].Class);
                continue;
            }

            if (combiningClass == 0)
            {
                starter = kept;
            }

            lastClass = combiningClass;
            window[kept++] = (codePoint, combiningClass);
        }

        window.RemoveRange(kept, window.Count - kept);
    }

    private static bool TryCompose(int first, int second, out int composite)
    {
        var lead = first - LeadBase;
        var vowel = second - VowelBase;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            composite = HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
            return true;
        }

        var syllable = first - HangulBase;
        var trail = second - TrailBase;
        if (syllable is >= 0 and < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            composite = first + trail;
            return true;
        }

        return Composites.TryGetValue(((long)first << 32) | (uint)second, out composite);
    }

    private static NormalizationForms[] BuildUnstable()
    {
        var table = new NormalizationForms[0x10000];
        var decomposed = NormalizationForms.Canonical | NormalizationForms.Compatible;
        var composed = NormalizationForms.CanonicalComposed | NormalizationForms.CompatibleComposed;
        foreach (var codePoint in Classes.Keys)
        {
            Mark(codePoint, decomposed | composed);
        }

        foreach (var codePoint in Canonical.Keys)
        {
            Mark(codePoint, decomposed);
        }

        foreach (var (codePoint, parts) in Canonical)
        {
            // What composes back stays; the compatibility form of a part may still differ.
            var window = new List<(int CodePoint, byte Class)>();
            Decompose(codePoint, compatible: false, window);
            Compose(window);
            if (window.Count != 1 || window[0].CodePoint != codePoint)
            {
                Mark(codePoint, composed);
            }

            if (parts.Any(Compatibility.ContainsKey))
            {
                Mark(codePoint, NormalizationForms.CompatibleComposed);
            }
        }

        foreach (var codePoint in Compatibility.Keys)
        {
            Mark(codePoint, NormalizationForms.Compatible | NormalizationForms.CompatibleComposed);
        }

        foreach (var pair in Composites.Keys)
        {
            Mark((int)(pair & 0xFFFFFFFF), composed);
        }

        for (var codePoint = HangulBase; codePoint < HangulBase + HangulCount; codePoint++)
        {
            Mark(codePoint, decomposed);
        }

        for (var codePoint = VowelBase; codePoint < VowelBase + VowelCount; codePoint++)
        {
            Mark(codePoint, composed);
        }

        for (var codePoint = TrailBase + 1; codePoint < TrailBase + TrailCount; codePoint++)
        {
            Mark(codePoint, composed);
        }

        return table;

        void Mark(int codePoint, NormalizationForms forms)
        {
            if (codePoint < 0x10000)
            {
                table[codePoint] |= forms;
                return;
            }

            // Outside the plane of units both surrogates are marked: more windows, same result.
            var pair = char.ConvertFromUtf32(codePoint);
            table[pair[0]] |= forms;
            table[pair[1]] |= forms;
        }
    }

    private static FrozenDictionary<int, int[]> ReadDecompositions(ReadOnlySpan<int> data)
    {
        var result = new Dictionary<int, int[]>();
        for (var i = 0; i < data.Length; i += 2 + data[i + 1])
        {
            result[data[i]] = data.Slice(i + 2, data[i + 1]).ToArray();
        }

        return result.ToFrozenDictionary();
    }

    private static FrozenDictionary<long, int> ReadCompositions()
    {
        var data = NormalizationData.Compositions;
        var result = new Dictionary<long, int>();
        for (var i = 0; i < data.Length; i += 3)
        {
            result[((long)data[i] << 32) | (uint)data[i + 1]] = data[i + 2];
        }

        return result.ToFrozenDictionary();
    }

    private static FrozenDictionary<int, byte> ReadClasses()
    {
        var data = NormalizationData.CombiningClasses;
        var result = new Dictionary<int, byte>();
        for (var i = 0; i < data.Length; i += 3)
        {
            for (var codePoint = data[i]; codePoint <= data[i + 1]; codePoint++)
            {
                result[codePoint] = (byte)data[i + 2];
            }
        }

        return result.ToFrozenDictionary();
    }
}
