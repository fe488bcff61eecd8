namespace Fastgen.Services.Tests.Hosting;

/// <summary>A process of this machine as /proc shows it.</summary>
internal sealed record RunningProcess(int Id, int ParentId, IReadOnlyDictionary<string, string> Environment, string CommandLine)
{
    /// <summary>Processes, zombies aside, that a host with that id has started.</summary>
    public static IReadOnlyList<RunningProcess> StartedBy(int hostId)
        => All(p => p.Environment.TryGetValue("FASTGEN_PARENT_PID", out var id) && id == $"{hostId}");

    public static IReadOnlyList<RunningProcess> WithArgument(string text)
        => All(p => p.CommandLine.Contains(text, StringComparison.Ordinal) && p.Id != System.Environment.ProcessId);

    /// <summary>The guard of that host, and the scratch folder that ends with it.</summary>
    public static (RunningProcess Guard, string Scratch) GuardOf(int hostId)
    {
        var guard = Assert.Single(WithArgument("fastgen-guard /"), p => p.ParentId == hostId);
        return (guard, guard.CommandLine.TrimEnd().Split(' ')[^1]);
    }

    private static List<RunningProcess> All(Func<RunningProcess, bool> wanted)
    {
        var found = new List<RunningProcess>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id))
            {
                continue;
            }

            try
            {
                // The third field, after the name in brackets, is the state.
                var stat = File.ReadAllText(folder + "/stat");
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                if (fields[0] is "Z" or "X")
                {
                    continue;
                }

                var environment = new Dictionary<string, string>();
                foreach (var entry in File.ReadAllText(folder + "/environ").Split('\0', StringSplitOptions.RemoveEmptyEntries))
                {
                    var equals = entry.IndexOf('=', StringComparison.Ordinal);
                    environment[entry[..Math.Max(equals, 0)]] = entry[(equals + 1)..];
                }

                var process = new RunningProcess(id, int.Parse(fields[1], null), environment, File.ReadAllText(folder + "/cmdline").Replace('\0', ' '));
                if (wanted(process))
                {
                    found.Add(process);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // it ended meanwhile, or is another user's
            }
        }

        return found;
    }
}
