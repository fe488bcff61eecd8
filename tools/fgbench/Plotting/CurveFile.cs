using System.Text.Json;

namespace Fastgen.Tools.FgBench.Plotting;

/// <summary>Reads curves that others published: <c>{"source": "...", "curves": [{"name": "...", "points": [[16, 580], ...]}]}</c>.</summary>
internal static class CurveFile
{
    /// <exception cref="InvalidDataException">The file is not of this form.</exception>
    public static IReadOnlyList<Curve> Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            string? source = document.RootElement.TryGetProperty("source", out JsonElement text) ? text.GetString() : null;
            return [.. document.RootElement.GetProperty("curves").EnumerateArray().Select(curve => new Curve(
                curve.GetProperty("name").GetString()!,
                [.. curve.GetProperty("points").EnumerateArray().Select(point => (X: point[0].GetDouble(), Y: point[1].GetDouble())).OrderBy(point => point.X)]) { Source = source })];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            throw new InvalidDataException($"'{path}' is no file of curves ({e.Message}); write {{\"source\": \"...\", \"curves\": [{{\"name\": \"...\", \"points\": [[16, 580]]}}]}}.", e);
        }
    }
}
