using System.Text.Json;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Real config.json files, with what the reference makes of them.</summary>
public sealed class ConfigGoldenTests
{
    private static string Folder => Path.Combine(GoldenFolder.Root, "text", "configs");

    public static TheoryData<string> Names => Directory.Exists(Folder) ? [.. Directory.EnumerateDirectories(Folder).Select(folder => Path.GetFileName(folder)!).Order()] : [];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Names))]
    public void Config_means_what_the_reference_says(string name)
    {
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "manifest.json")));
        var expected = manifest.RootElement.EnumerateArray().Single(entry => entry.GetProperty("name").GetString() == name).GetProperty("expected");
        ModelConfig config;
        try
        {
            config = ModelConfig.Load(Path.Combine(Folder, name, "config.json"));
        }
        catch (ModelLoadException exception) when (exception.IsUnsupported)
        {
            Assert.Skip($"{name} is not supported yet: {exception.Message}");
            return;
        }

        // Of a multimodal model the file may name the type of either part.
        Assert.Contains(expected.GetProperty("model_type").GetString(), (string?[])[config.Wrapper?.ModelType, config.Architecture.ModelType]);
        Assert.Equal(Integer("layers") ?? config.Architecture.Defaults.LayerCount, config.LayerCount);
        Assert.Equal(Integer("hidden") ?? config.Architecture.Defaults.HiddenSize, config.HiddenSize);
        Assert.Equal(Integer("heads") ?? config.Architecture.Defaults.HeadCount, config.HeadCount);
        Assert.Equal(Integer("kv_heads") ?? config.Architecture.Defaults.KeyValueHeadCount ?? config.HeadCount, config.KeyValueHeadCount);
        if (config.Latent is null)
        {
            Assert.Equal(Integer("head_dim") ?? config.Architecture.Defaults.HeadDim, config.HeadDim);
        }

        Assert.Equal(Value("experts")?.GetInt32(), config.Moe?.Routing.ExpertCount);
        Assert.Equal(Value("experts_per_tok")?.GetInt32(), config.Moe?.Routing.ChosenCount);
        Assert.Equal(Integer("vocab") ?? config.Architecture.Defaults.VocabularySize, config.VocabularySize);
        Assert.Equal(Value("rope_theta")?.GetDouble() ?? config.Architecture.Defaults.RopeTheta, config.Rope.Theta);
        Assert.Equal(Value("rope_type")?.GetString() ?? "default", config.Rope.Type.ToString(), ignoreCase: true);
        Assert.Equal(Value("tie")?.GetBoolean() ?? config.Architecture.Defaults.TieWordEmbeddings, config.TieWordEmbeddings);
        var eos = Value("eos_config");
        Assert.Equal(eos is not { } ids ? [] : ids.ValueKind == JsonValueKind.Array ? [.. ids.EnumerateArray().Select(id => id.GetInt32())] : [ids.GetInt32()], config.EosTokenIds);
        var hasWindow = Value("use_sliding_window")?.GetBoolean() ?? true;
        var expectedWindow = hasWindow ? Value("sliding_window")?.GetInt32() : null;
        var isInterleaved = config.Architecture.ModelType is "gemma2" or "gemma3_text" or "gpt_oss" or "ministral";
        Assert.All(config.SlidingWindows, window => Assert.True(window == expectedWindow || (isInterleaved && window is null)));
        Assert.Equal(expectedWindow, config.SlidingWindows[0]);

        int? Integer(string key) => Value(key)?.GetInt32();

        JsonElement? Value(string key) => expected.GetProperty(key) is { ValueKind: not JsonValueKind.Null } value ? value : null;
    }
}
