using System.Text.RegularExpressions;

namespace Fastgen.Services.Tests.Architecture;

/// <summary>ARCHITECTURE.md names only what is there.</summary>
public sealed partial class MapTests
{
    private const string Map = "ARCHITECTURE.md";

    [Fact]
    public void The_map_fits_on_a_hundred_lines() => Assert.InRange(File.ReadAllLines(Path.Combine(SourceTree.Root, Map)).Length, 40, 100);

    [Fact]
    public void Every_link_leads_to_a_file_or_folder()
    {
        string[] targets = [.. Links().Matches(SourceTree.Read(Map)).Select(match => match.Groups[1].Value)];
        Assert.True(targets.Length >= 20, $"Only {targets.Length} links; the request path links to its files.");
        Assert.All(targets, target => Assert.True(target.Contains("://", StringComparison.Ordinal) || Exists(target.Split('#')[0]), $"{Map} links to {target}, which is not there."));
    }

    [Fact]
    public void Every_path_and_type_in_code_marks_exists()
    {
        HashSet<string> names = [.. SourceTree.CSharpFiles().SelectMany(file => Declarations().Matches(SourceTree.Read(file)).Select(match => match.Groups[1].Value))];
        string code = string.Join('\n', SourceTree.CSharpFiles().Where(file => !file.StartsWith("tests/", StringComparison.Ordinal)).Select(SourceTree.Read));
        string[] marks = [.. CodeMarks().Matches(SourceTree.Read(Map)).Select(match => match.Groups[1].Value).Distinct()];
        Assert.True(marks.Length >= 30, $"Only {marks.Length} names in code marks.");
        Assert.All(marks, mark => Assert.True(IsKnown(mark), $"{Map} names {mark}, which is not there."));

        bool IsKnown(string mark)
        {
            if (mark.Contains('/', StringComparison.Ordinal) || mark.EndsWith(".md", StringComparison.Ordinal))
            {
                return Exists(mark);
            }

            // A type, or a type and a member of it, with or without the parentheses of a call.
            Match name = TypeAndMember().Match(mark);
            return name.Success
                && names.Contains(name.Groups[1].Value)
                && (name.Groups[2].Length == 0 || Regex.IsMatch(code, $@"\b{name.Groups[2].Value}\b"));
        }
    }

    private static bool Exists(string path)
    {
        string full = Path.Combine(SourceTree.Root, path);
        return File.Exists(full) || Directory.Exists(full);
    }

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Links();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeMarks();

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record(?:\s+struct)?)\s+([A-Z]\w*)")]
    private static partial Regex Declarations();

    [GeneratedRegex(@"^([A-Z]\w*)(?:\.([A-Z]\w*))?(?:\(\))?$")]
    private static partial Regex TypeAndMember();
}
