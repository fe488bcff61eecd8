using System.Diagnostics;
using System.Globalization;

namespace Fastgen.Engine.UnitTests.Fuzzing;

/// <summary>Runs a reader on damaged input: only its documented exceptions, bounded time, bounded memory.</summary>
/// <remarks>
/// FASTGEN_FUZZ_CASES sets the number of cases of each target and FASTGEN_FUZZ_SEED where they begin, for longer runs:
/// <c>FASTGEN_FUZZ_CASES=200000 FASTGEN_FUZZ_SEED=7 Engine.UnitTests --filter-class "*FuzzTests"</c>.
/// </remarks>
internal static class FuzzRun
{
    private const int UsualSeed = 20261120;

    // Far above what any case takes, so that a busy machine fails nothing; what is quadratic or endless is far above it.
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(30);

    /// <summary>Bytes that one case may allocate in all, however small its input.</summary>
    private const long MostBytes = 512L << 20;

    /// <summary>Seed of the first case.</summary>
    public static int Seed => Variable("FASTGEN_FUZZ_SEED", UsualSeed);

    /// <summary>Cases of a target.</summary>
    public static int Cases(int usual) => Variable("FASTGEN_FUZZ_CASES", usual);

    /// <param name="target">Name, for messages.</param>
    /// <param name="seeds">Good inputs to damage.</param>
    /// <param name="read">Reads and uses one input.</param>
    /// <param name="isDocumented">Whether an exception is one that the reader's documentation names.</param>
    public static void Over(string target, int usualCases, IReadOnlyList<byte[]> seeds, IReadOnlyList<string> dictionary, Action<byte[]> read, Func<Exception, bool> isDocumented)
    {
        foreach (var seed in seeds)
        {
            // What is not damaged must pass, or nothing behind the first check is ever reached.
            read(seed);
        }

        int refused = 0, cases = Cases(usualCases);
        for (var i = 0; i < cases; i++)
        {
            var number = Seed + i;
            var random = new Random(number);
            var input = new ByteMutator(random, dictionary).Mutate(seeds[random.Next(seeds.Count)]);
            var start = Stopwatch.GetTimestamp();
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(input);
            }
            catch (Exception error) when (isDocumented(error))
            {
                refused++;
                Assert.True(error.Message.Length > 10, $"{Place()}: the message \"{error.Message}\" helps nobody");
            }
            catch (Exception error)
            {
                Assert.Fail($"{Place()}: {error}");
            }

            var (time, bytes) = (Stopwatch.GetElapsedTime(start), GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(time < MostTime, $"{Place()} took {time.TotalSeconds:F1} s");
            Assert.True(bytes < MostBytes, $"{Place()} allocated {bytes:N0} bytes");

            string Place() => $"{target}, FASTGEN_FUZZ_SEED={number} FASTGEN_FUZZ_CASES=1, input {Convert.ToBase64String(input.AsSpan(0, Math.Min(input.Length, 3000)))}{(input.Length > 3000 ? "…" : "")}";
        }

        Assert.True(cases < 100 || refused > cases / 50, $"{target}: only {refused} of {cases} damaged inputs were refused; does the reader read them?");
    }

    private static int Variable(string name, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : usual;
}
