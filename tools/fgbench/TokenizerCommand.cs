using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Fastgen.Engine.Text;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench tokenizer: how fast text becomes ids, on one core and in parallel, and that hostile text takes no longer than it may.</summary>
internal static class TokenizerCommand
{
    private const int PieceChars = 4096;
    private const int HostileBytes = 1 << 20;

    public static Command Create()
    {
        var tokenizer = new Option<string>("--tokenizer") { Description = "Model folder, or a tokenizer.json, tekken.json or tokenizer.model; .gz is unpacked.", Required = true };
        var text = new Option<string?>("--text") { Description = "UTF-8 text to encode [default: English prose made from a list of words]" };
        var threads = new Option<int>("--threads") { Description = "Threads of the parallel measurement.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var seconds = new Option<double>("--seconds") { Description = "Time for each measurement.", DefaultValueFactory = _ => 2.0 };
        var log = new Option<string?>("--out") { Description = "File to append JSON rows to." };
        var command = new Command("tokenizer", """
            Measures megabytes of UTF-8 a second: one core, batches on all cores, decoding; and a megabyte of hostile text.

            Example:
              fgbench tokenizer --tokenizer models/demo --text README.md
            """)
        { tokenizer, text, threads, seconds, log };
        command.SetAction(result => Run(
            result.GetValue(tokenizer)!, result.GetValue(text), result.GetValue(threads), result.GetValue(seconds), new BenchLog(result.GetValue(log))));
        return command;
    }

    private static int Run(string path, string? textPath, int threads, double seconds, BenchLog log)
    {
        var start = Stopwatch.GetTimestamp();
        var tokenizer = Load(path);
        var loadMs = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        var text = textPath is null ? EnglishText.Make(4 << 20) : File.ReadAllText(textPath, Encoding.UTF8);
        var bytes = Encoding.UTF8.GetByteCount(text);
        var pieces = text.Chunk(PieceChars).Select(chars => new string(chars)).ToList();

        // One text of a few kilobytes after the other, as prompts come. The first time no word is in the cache, and code is compiled.
        var tokens = 0;
        start = Stopwatch.GetTimestamp();
        _ = pieces.Sum(piece => tokenizer.Encode(piece, addSpecialTokens: false).Length);
        var first = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var (best, median) = BestOf.Seconds(seconds, () => tokens = pieces.Sum(piece => tokenizer.Encode(piece, addSpecialTokens: false).Length));
        var (parallelBest, parallelMedian) = BestOf.Seconds(seconds, () => tokenizer.EncodeBatch(pieces, addSpecialTokens: false, threads));
        var ids = pieces.Select(piece => tokenizer.Encode(piece, addSpecialTokens: false)).ToList();
        var (decodeBest, _) = BestOf.Seconds(seconds / 2, () => ids.ForEach(row => tokenizer.Decode(row, skipSpecialTokens: false)));
        var name = Name(path);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: loaded in {loadMs:F0} ms; {bytes / 1e6:F1} MB = {tokens:N0} tokens ({(double)bytes / tokens:F2} bytes each)"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  encode, one core {bytes / first / 1e6:F1} MB/s the first time, then {bytes / best / 1e6:F1} MB/s (median {bytes / median / 1e6:F1}); batches on {threads} thread(s) {bytes / parallelBest / 1e6:F1} MB/s (median {bytes / parallelMedian / 1e6:F1}); decode {bytes / decodeBest / 1e6:F1} MB/s"));
        log.Add(new JsonObject
        {
            ["bench"] = "tokenizer",
            ["tokenizer"] = name,
            ["text"] = textPath is null ? "english" : Path.GetFileName(textPath),
            ["bytes"] = bytes,
            ["tokens"] = tokens,
            ["loadMs"] = loadMs,
            ["firstMBs"] = bytes / first / 1e6,
            ["encodeMBs"] = bytes / best / 1e6,
            ["encodeMedianMBs"] = bytes / median / 1e6,
            ["threads"] = threads,
            ["batchMBs"] = bytes / parallelBest / 1e6,
            ["decodeMBs"] = bytes / decodeBest / 1e6,
        });
        foreach (var (kind, hostile) in Hostile())
        {
            // A tenth and the whole: linear time keeps the speed.
            var tenth = Measure(hostile[..(hostile.Length / 10)]);
            var whole = Measure(hostile);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  hostile, {kind}: 0.1 MB at {tenth:F1} MB/s, 1 MB at {whole:F1} MB/s"));
            log.Add(new JsonObject { ["bench"] = "tokenizer-hostile", ["tokenizer"] = name, ["text"] = kind, ["tenthMBs"] = tenth, ["wholeMBs"] = whole });
        }

        return 0;

        double Measure(string hostile)
        {
            var (bestSeconds, _) = BestOf.Seconds(0, () => tokenizer.Encode(hostile, addSpecialTokens: false));
            return Encoding.UTF8.GetByteCount(hostile) / bestSeconds / 1e6;
        }
    }

    private static Tokenizer Load(string path)
    {
        if (Directory.Exists(path))
        {
            return Tokenizer.LoadFolder(path) ?? throw new ArgumentException($"'{path}' holds no tokenizer.json, tekken.json or tokenizer.model; name a folder that does.");
        }

        if (!path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
        {
            return Tokenizer.FromFile(path);
        }

        using var file = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        using var content = new MemoryStream();
        file.CopyTo(content);
        return Tokenizer.Parse(content.ToArray());
    }

    private static string Name(string path)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        foreach (var ending in (string[])[".gz", ".json"])
        {
            name = name.EndsWith(ending, StringComparison.OrdinalIgnoreCase) ? name[..^ending.Length] : name;
        }

        return name;
    }

    private static IEnumerable<(string Kind, string Text)> Hostile()
    {
        var random = new Random(1);
        yield return ("one letter", new string('a', HostileBytes));
        yield return ("two letters in turn", string.Concat(Enumerable.Repeat("ab", HostileBytes / 2)));
        yield return ("letters without spaces", string.Create(HostileBytes, random, (chars, source) =>
        {
            for (var i = 0; i < chars.Length; i++)
            {
                chars[i] = (char)('a' + source.Next(26));
            }
        }));
        yield return ("spaces", new string(' ', HostileBytes));
        yield return ("line ends", string.Concat(Enumerable.Repeat("\r\n", HostileBytes / 2)));
        yield return ("punctuation", new string('!', HostileBytes));
        yield return ("combining marks", new string('\u0301', HostileBytes / 2));
        yield return ("upper and lower case", string.Concat(Enumerable.Repeat("aB", HostileBytes / 2)));
    }
}
