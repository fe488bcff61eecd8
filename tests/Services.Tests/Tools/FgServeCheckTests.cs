using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fastgen.Services.Tests.Tools;

public sealed class FgServeCheckTests
{
    [Fact]
    public async Task Check_reports_and_succeeds()
    {
        using var model = new TinyChatModel();
        await using ToolProcess check = ToolProcess.Start("fgserve", "--check", model.Folder);

        Assert.Equal(0, await check.ExitCodeAsync());
        Assert.Contains("This model can be served.", check.Output, StringComparison.Ordinal);
        Assert.Contains("Qwen2ForCausalLM", check.Output, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json, BPE", check.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', check.Output);
    }

    [Fact]
    public async Task Check_of_a_multimodal_folder_says_that_text_alone_is_served()
    {
        using var model = new TinyChatModel();
        string path = Path.Combine(model.Folder, "config.json");
        JsonNode text = JsonNode.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!;
        await File.WriteAllTextAsync(path, new JsonObject { ["architectures"] = new JsonArray("LlavaForConditionalGeneration"), ["text_config"] = text }.ToJsonString(), TestContext.Current.CancellationToken);
        await using ToolProcess check = ToolProcess.Start("fgserve", "--check", model.Folder);

        Assert.Equal(0, await check.ExitCodeAsync());
        Assert.Contains("LlavaForConditionalGeneration: text only, as Qwen2ForCausalLM; images are not read", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_as_json_of_a_broken_folder_fails_with_the_reasons()
    {
        using var model = new TinyChatModel();
        await File.WriteAllTextAsync(Path.Combine(model.Folder, "config.json"), "{\"architectures\":[\"MambaForCausalLM\"]}", TestContext.Current.CancellationToken);
        await using ToolProcess check = ToolProcess.Start("fgserve", model.Folder, "--check", "--json");

        Assert.Equal(1, await check.ExitCodeAsync());
        JsonElement report = JsonDocument.Parse(check.Output).RootElement;
        Assert.False(report.GetProperty("isSupported").GetBoolean());
        Assert.Contains("MambaForCausalLM", report.GetProperty("problems")[0].GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("BPE", report.GetProperty("tokenizer").GetProperty("model").GetString());
    }
}
