using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Chat templates and snippets against what jinja2 in HuggingFace's sandbox made of them.</summary>
public sealed class ChatTemplateGoldenTests
{
    public static TheoryData<string> TemplateNames()
    {
        var names = new TheoryData<string>();
        foreach (string file in ChatTemplateGoldens.Files("templates", "*.jinja"))
        {
            names.Add(Path.GetFileNameWithoutExtension(file));
        }

        if (names.Count == 0)
        {
            names.Add("");
        }

        return names;
    }

    [Theory]
    [MemberData(nameof(TemplateNames))]
    public void Template_renders_every_conversation_as_the_reference(string name)
    {
        ChatTemplateGoldens.RequireFolder();
        GoldenResult result = TextGoldenResults.Template(name);
        Assert.Equal("", string.Join("\n", result.Differences));
        Assert.True(result.Compared > 0, "nothing was compared");
    }

    [Fact]
    public void Snippets_render_as_the_reference()
    {
        ChatTemplateGoldens.RequireFolder();
        using JsonDocument cases = ChatTemplateGoldens.Read("jinja_cases.json");
        using JsonDocument goldens = ChatTemplateGoldens.Read("goldens/jinja_cases.json");
        using JsonDocument noMessages = JsonDocument.Parse("[]");
        Dictionary<string, JsonElement> context = cases.RootElement.GetProperty("context").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value);
        var failures = new List<string>();
        foreach (JsonElement snippet in cases.RootElement.GetProperty("cases").EnumerateArray())
        {
            string id = snippet.GetProperty("id").GetString()!;
            string source = snippet.GetProperty("src").GetString()!;
            JsonElement golden = goldens.RootElement.GetProperty(id);
            string? expected = golden.ValueKind == JsonValueKind.String ? golden.GetString() : null;
            var input = new ChatTemplateInput { Messages = noMessages.RootElement, AddGenerationPrompt = true, Extra = context, Now = TemplateGoldenCheck.Clock };
            string? actual = TemplateGoldenCheck.Render(source, input, out string error);
            if (expected != actual)
            {
                failures.Add($"{id} {source}: expected {TemplateGoldenCheck.Show(expected)}, got {TemplateGoldenCheck.Show(actual)} {error}");
            }
        }

        Assert.True(failures.Count == 0, $"{failures.Count} snippets differ:\n{string.Join("\n", failures)}");
    }

    [Fact]
    public void Usual_conversations_render_within_a_millisecond()
    {
        string folder = ChatTemplateGoldens.RequireFolder();
        using JsonDocument conversations = ChatTemplateGoldens.Read("conversations.json");
        JsonElement messages = conversations.RootElement.EnumerateArray().OrderByDescending(entry => entry.GetProperty("messages").GetArrayLength()).First().GetProperty("messages");
        var slow = new List<string>();
        foreach (string file in ChatTemplateGoldens.Files("templates", "*.jinja"))
        {
            ChatTemplate template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(folder, file), Encoding.UTF8));
            var input = new ChatTemplateInput { Messages = messages, AddGenerationPrompt = true, BosToken = "<s>", EosToken = "</s>", Now = TemplateGoldenCheck.Clock };
            double best = double.MaxValue;
            for (int i = 0; i < 40; i++)
            {
                long start = Stopwatch.GetTimestamp();
                try
                {
                    template.Render(input);
                }
                catch (ChatTemplateException)
                {
                    // A template that refuses this conversation has no time to measure.
                    best = 0;
                    break;
                }

                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }

            TestContext.Current.TestOutputHelper?.WriteLine($"{Path.GetFileNameWithoutExtension(file)}: {best * 1000:0} us");
            if (best > 1)
            {
                slow.Add($"{Path.GetFileName(file)}: {best:0.00} ms");
            }
        }

        Assert.True(slow.Count == 0, string.Join("\n", slow));
    }
}
