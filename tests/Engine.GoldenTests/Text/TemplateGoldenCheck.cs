using System.Text;
using System.Text.Json;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Renders every golden conversation with a chat template and lists the differences.</summary>
internal static class TemplateGoldenCheck
{
    /// <summary>The clock that the goldens were made with.</summary>
    public static readonly DateTimeOffset Clock = new(2024, 7, 26, 13, 5, 9, TimeSpan.Zero);

    /// <summary>All conversations, with and without generation prompt.</summary>
    public static GoldenResult Run(string name)
    {
        string folder = ChatTemplateGoldens.Folder()!;
        using JsonDocument conversations = ChatTemplateGoldens.Read("conversations.json");
        using JsonDocument metas = ChatTemplateGoldens.Read("templates.meta.json");
        using JsonDocument goldens = ChatTemplateGoldens.Read("goldens/templates.json");
        string source = File.ReadAllText(Path.Combine(folder, "templates", name + ".jinja"), Encoding.UTF8);
        JsonElement meta = metas.RootElement.EnumerateArray().First(entry => entry.GetProperty("name").GetString() == name);
        JsonElement golden = goldens.RootElement.GetProperty(name);
        var failures = new List<string>();
        int compared = 0;
        foreach (JsonElement conversation in conversations.RootElement.EnumerateArray())
        {
            string id = conversation.GetProperty("id").GetString()!;
            if (!golden.TryGetProperty(id, out JsonElement pair))
            {
                continue;
            }

            for (int prompt = 0; prompt < 2; prompt++)
            {
                compared++;
                string? expected = Expected(pair, prompt);
                string? actual = Render(source, InputFor(conversation, meta, prompt == 1), out string error);
                if (expected != actual)
                {
                    failures.Add($"{id} generation prompt {prompt}: expected {Show(expected)}, got {Show(actual)} {error}");
                }
            }
        }

        return new GoldenResult(compared, failures);
    }

    /// <summary>The text, or null with the error.</summary>
    public static string? Render(string source, ChatTemplateInput input, out string error)
    {
        try
        {
            error = "";
            return ChatTemplate.Parse(source).Render(input);
        }
        catch (ChatTemplateException e)
        {
            error = e.Message;
            return null;
        }
    }

    /// <summary>A text or an error, for messages.</summary>
    public static string Show(string? text) => text is null ? "an error" : JsonSerializer.Serialize(text);

    private static ChatTemplateInput InputFor(JsonElement conversation, JsonElement meta, bool addGenerationPrompt) => new()
    {
        Messages = conversation.GetProperty("messages"),
        Tools = Optional(conversation, "tools"),
        Documents = Optional(conversation, "documents"),
        AddGenerationPrompt = addGenerationPrompt,
        BosToken = Optional(meta, "bos_token")?.GetString(),
        EosToken = Optional(meta, "eos_token")?.GetString(),
        Extra = Optional(conversation, "kwargs")?.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value),
        Now = Clock,
    };

    private static JsonElement? Optional(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>The text, or null where the reference raised.</summary>
    private static string? Expected(JsonElement pair, int index)
    {
        JsonElement golden = pair[index];
        if (golden.ValueKind == JsonValueKind.String)
        {
            return golden.GetString();
        }

        return golden.TryGetProperty("+", out JsonElement suffix) ? pair[0].GetString() + suffix.GetString() : null;
    }
}
