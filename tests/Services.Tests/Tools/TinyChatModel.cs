using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fastgen.Services.Tests.Tools;

/// <summary>A folder with a random model of some hundred thousand weights, a tokenizer of single bytes and a chat template.</summary>
/// <remarks>It babbles bytes, valid UTF-8 or not, which is what makes it a good test.</remarks>
internal sealed class TinyChatModel : IDisposable
{
    public const int ContextTokens = 1024;

    private const int EndlessContextTokens = 250_000;

    private static readonly string[] Special = ["<unk>", "<s>", "</s>"];

    /// <param name="endless">No token ends an answer, and the context has room for a minute of them at least.</param>
    public TinyChatModel(bool endless = false)
    {
        Folder = Path.Combine(Path.GetTempPath(), "fastgen-" + Guid.NewGuid().ToString("N"), "tiny-chat");
        Directory.CreateDirectory(Folder);
        string source = Path.Combine(SourceRoot(), "tests", "Engine.GoldenTests", "Fixtures", "models", "qwen2");
        foreach (string name in new[] { "config.json", "generation_config.json", "model.safetensors" })
        {
            File.Copy(Path.Combine(source, name), Path.Combine(Folder, name));
        }

        if (endless)
        {
            Change("config.json", "max_position_embeddings", EndlessContextTokens);
            Change("config.json", "eos_token_id", null);
            Change("generation_config.json", "eos_token_id", null);
        }

        File.WriteAllText(Path.Combine(Folder, "tokenizer.json"), Tokenizer());
        File.WriteAllText(Path.Combine(Folder, "tokenizer_config.json"), JsonSerializer.Serialize(new
        {
            bos_token = "<s>",
            eos_token = "</s>",
            chat_template = "{% for message in messages %}{% if message.role == 'assistant' and loop.first %}{{ raise_exception('an assistant cannot begin') }}{% endif %}"
                + "<|{{ message.role }}|>{{ message.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        }));
    }

    public string Folder { get; }

    /// <summary>The token of a byte.</summary>
    public static int TokenOf(char character) => Special.Length + character;

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(Folder)!, recursive: true);

    internal static string SourceRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Fastgen.Aspire.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not inside the repository; run the tests from their build output.");
    }

    private void Change(string file, string key, int? value)
    {
        string path = Path.Combine(Folder, file);
        JsonNode content = JsonNode.Parse(File.ReadAllText(path))!;
        content[key] = value;
        File.WriteAllText(path, content.ToJsonString());
    }

    private static string Tokenizer()
    {
        var vocabulary = new JsonObject();
        var added = new JsonArray();
        for (int id = 0; id < Special.Length; id++)
        {
            vocabulary[Special[id]] = id;
            added.Add(new JsonObject
            {
                ["id"] = id,
                ["content"] = Special[id],
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            });
        }

        int shifted = 0;
        for (int value = 0; value < 256; value++)
        {
            // GPT-2's alphabet: printable bytes stand for themselves, the others are moved behind Latin-1.
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            vocabulary[((char)(printable ? value : 256 + shifted++)).ToString()] = TokenOf((char)value);
        }

        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true },
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = true, ["trim_offsets"] = true, ["use_regex"] = true },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray(),
            },
        }.ToJsonString();
    }
}
