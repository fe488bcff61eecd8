using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fastgen.Tools.FgBench;

/// <summary>Appends one JSON object per measurement to a file, with the machine and the time.</summary>
internal sealed class BenchLog(string? path)
{
    public void Add(JsonObject row)
    {
        if (path is null)
        {
            return;
        }

        row["time"] = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
        row["processors"] = Environment.ProcessorCount;
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
        {
            Directory.CreateDirectory(folder);
        }

        File.AppendAllText(path, row.ToJsonString(JsonSerializerOptions.Default) + "\n");
    }
}
