using System.CommandLine;
using Fastgen.Tools.FgBench.Plotting;

namespace Fastgen.Tools.FgBench;

/// <summary>fgbench plot: draws rows that were measured before.</summary>
internal static class PlotCommand
{
    public static Command Create()
    {
        var rows = new Option<string>("--rows") { Description = "File of JSON rows.", Required = true };
        var where = new Option<string[]>("--where") { Description = "Only rows with this value, as FIELD=VALUE; repeatable." };
        var x = new Option<string>("--x") { Description = "Field of the x axis.", DefaultValueFactory = _ => "decode" };
        var y = new Option<string>("--y") { Description = "Field of the y axis.", DefaultValueFactory = _ => "generatedTokensPerSecond" };
        var by = new Option<string>("--by") { Description = "Field whose values make curves of their own.", DefaultValueFactory = _ => "device" };
        var title = new Option<string?>("--title") { Description = "Over the chart [default: the conditions]." };
        var compare = new Option<string[]>("--compare") { Description = "JSON file of curves to draw beside them, repeatable." };
        var plot = new Option<string>("--plot") { Description = "SVG file to write.", DefaultValueFactory = _ => "plot.svg" };
        var command = new Command("plot", """
            Draws rows of JSON that other commands appended to a file, without measuring anything. Of several rows for one point the last counts.

            Examples:
              fgbench plot --rows docs/bench/gpu.jsonl --where model=mistral-7b --where requests=512 --compare docs/bench/published-mistral-7b.json --plot docs/bench/sweep-mistral-7b.svg
              fgbench plot --rows docs/bench/gpu.jsonl --where bench=latency --x requests --y betweenTokensMsP99 --by model --plot p99.svg
            """)
        { rows, where, x, y, by, title, compare, plot };
        command.SetAction(result =>
        {
            Dictionary<string, string> conditions = Conditions(result.GetValue(where) ?? []);
            string xField = result.GetRequiredValue(x), yField = result.GetRequiredValue(y), path = result.GetRequiredValue(rows), file = result.GetRequiredValue(plot);
            IReadOnlyList<Curve> ours = RowFile.Read(path, xField, yField, result.GetRequiredValue(by), conditions);
            if (ours.Count == 0)
            {
                throw new ArgumentException($"No row of '{path}' has numbers '{xField}' and '{yField}'{(conditions.Count == 0 ? "" : $" with {string.Join(", ", conditions.Select(pair => $"{pair.Key}={pair.Value}"))}")}; check the names of the fields.");
            }

            Curve[] all = [.. ours, .. (result.GetValue(compare) ?? []).SelectMany(CurveFile.Read)];
            string heading = result.GetValue(title) ?? string.Join(", ", conditions.Select(pair => $"{pair.Key} {pair.Value}"));
            SvgChart.Save(file, new ChartText(heading, xField, yField), all);
            Console.WriteLine(CurveTable.Format(all, xField, yField));
            Console.WriteLine($"Plot: {file}");
            return 0;
        });
        return command;
    }

    /// <exception cref="ArgumentException">A condition is not FIELD=VALUE.</exception>
    private static Dictionary<string, string> Conditions(string[] texts) => texts.Select(text => text.Split('=', 2)).ToDictionary(
        pair => pair.Length == 2 ? pair[0] : throw new ArgumentException($"'{pair[0]}' is not FIELD=VALUE; write for example --where model=mistral-7b."),
        pair => pair[1],
        StringComparer.Ordinal);
}
