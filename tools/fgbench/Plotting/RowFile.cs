using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fastgen.Tools.FgBench.Plotting;

/// <summary>Makes curves of the rows that fgbench appends to a file.</summary>
internal static class RowFile
{
    /// <param name="path">A JSON object on each line.</param>
    /// <param name="x">Field of the x axis.</param>
    /// <param name="y">Field of the y axis.</param>
    /// <param name="by">Field whose values make curves of their own.</param>
    /// <param name="where">Values that rows must have.</param>
    /// <returns>Of several rows for one point the last counts.</returns>
    /// <exception cref="InvalidDataException">A line is not JSON.</exception>
    public static IReadOnlyList<Curve> Read(string path, string x, string y, string by, IReadOnlyDictionary<string, string> where)
    {
        var curves = new Dictionary<string, SortedDictionary<double, double>>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            JsonObject row = Parse(path, number, line);
            if (!where.All(pair => row[pair.Key]?.ToString() == pair.Value) || Number(row[x]) is not { } left || Number(row[y]) is not { } up)
            {
                continue;
            }

            string name = row[by]?.ToString() ?? by;
            if (!curves.TryGetValue(name, out SortedDictionary<double, double>? points))
            {
                curves[name] = points = [];
            }

            points[left] = up;
        }

        return [.. curves.Select(curve => new Curve(curve.Key, [.. curve.Value.Select(point => (point.Key, point.Value))]))];
    }

    private static JsonObject Parse(string path, int number, string line)
    {
        try
        {
            return JsonNode.Parse(line)!.AsObject();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"Line {number} of '{path}' is not a JSON object ({e.Message}); take the line out.", e);
        }
    }

    private static double? Number(JsonNode? node) => node is JsonValue value && value.GetValueKind() == JsonValueKind.Number ? value.GetValue<double>() : null;
}
