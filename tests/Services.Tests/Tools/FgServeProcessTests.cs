using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Fastgen.Services.Tests.Tools;

public sealed class FgServeProcessTests
{
    [Fact]
    public async Task A_missing_model_is_one_line()
    {
        await using ToolProcess tool = ToolProcess.Start("fgserve", "/no/such/model", "--port", "0");

        Assert.Equal(1, await tool.ExitCodeAsync());
        string line = Assert.Single(tool.Error.Trim().Split('\n'));
        Assert.StartsWith("fgserve: ", line, StringComparison.Ordinal);
        Assert.Contains("/no/such/model", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("generation_config.json")]
    public async Task Damaged_files_are_named_without_a_stack_trace(string name)
    {
        using var model = new TinyChatModel();
        string path = Path.Combine(model.Folder, name);
        byte[] bytes = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, bytes[..(bytes.Length / 2)]);
        await using ToolProcess tool = ToolProcess.Start("fgserve", model.Folder, "--port", "0");

        Assert.Equal(1, await tool.ExitCodeAsync());
        Assert.Contains(name, tool.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", tool.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", tool.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_told_before_the_model_is_loaded()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string port = ((IPEndPoint)listener.LocalEndpoint).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        await using ToolProcess tool = ToolProcess.Start("fgserve", "/no/such/model", "--port", port);

        Assert.Equal(1, await tool.ExitCodeAsync());
        Assert.Equal($"fgserve: port {port} of 127.0.0.1 is in use; stop what listens there or take another one with --port.", tool.Error.Trim());
    }

    [Theory]
    [InlineData("fgserve", "--tensor-parallel 2", "--tensor-parallel 2 is not built yet")]
    [InlineData("fgchat", "--tensor-parallel 2", "--tensor-parallel 2 is not built yet")]
    [InlineData("fgserve", "--backend tpu", "auto, cpu, cuda or cuda:N")]
    [InlineData("fgchat", "--backend cuda:x", "'cuda:x'")]
    [InlineData("fgserve", "--port 70000", "from 0 to 65535")]
    [InlineData("fgchat", "--temperature hot", "'hot'")]
    [InlineData("fgserve", "--temperature NaN", "from 0 to 2")]
    [InlineData("fgserve", "--max-batch 0", "from 1")]
    [InlineData("fgchat", "--frobnicate", "--frobnicate")]
    public async Task Wrong_options_are_told_with_the_way_to_help(string toolName, string options, string words)
    {
        await using ToolProcess tool = ToolProcess.Start(toolName, ["model", .. options.Split(' ')]);

        Assert.Equal(1, await tool.ExitCodeAsync());
        string[] lines = tool.Error.Trim().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Contains(words, lines[0], StringComparison.Ordinal);
        Assert.Contains("--help", lines[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fgserve")]
    [InlineData("fgchat")]
    public async Task Help_has_examples(string toolName)
    {
        await using ToolProcess tool = ToolProcess.Start(toolName, "--help");

        Assert.Equal(0, await tool.ExitCodeAsync());
        Assert.Contains($"{toolName} models/demo", tool.Output, StringComparison.Ordinal);
        foreach (string option in new[] { "--tensor-parallel", "--temperature", "--top-p", "--max-tokens", "--max-batch", "--verbose", "--threads", "--max-context", "--kv-cache-gb", "--backend" })
        {
            Assert.Contains(option, tool.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_demo_model_greets_and_stops_by_itself()
    {
        string demo = Path.Combine(TinyChatModel.SourceRoot(), "models", "demo");
        Assert.SkipUnless(File.Exists(Path.Combine(demo, "model.safetensors")), "models/demo has no weights");
        await using ToolProcess tool = ToolProcess.Start("fgserve", demo, "--port", "0", "--temperature", "0");
        await tool.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        using var client = new HttpClient { BaseAddress = ServedModel.AddressIn(tool.Output) };
        using var question = new StringContent("""{"messages":[{"role":"user","content":"Hello!"}]}""", Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await client.PostAsync(new Uri("/chat/completions", UriKind.Relative), question);
        JsonElement choice = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("choices")[0];

        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        Assert.Matches("^(Hello|Hi)", choice.GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task An_interrupt_lets_a_running_answer_finish()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "signals are POSIX");
        using var model = new TinyChatModel();
        await using ToolProcess tool = ToolProcess.Start("fgserve", model.Folder, "--port", "0", "--backend", "cpu", "--served-model-name", "renamed", "--max-tokens", "700", "--api-key", "k");
        await tool.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        using var client = new HttpClient { BaseAddress = ServedModel.AddressIn(tool.Output) };
        client.DefaultRequestHeaders.Authorization = new("Bearer", "k");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(
                """{"model":"renamed","prompt":"go on","max_tokens":900,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}""",
                Encoding.UTF8,
                "application/json"),
        };
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        tool.SendInterrupt();
        string answer = await response.Content.ReadAsStringAsync();

        Assert.EndsWith("data: [DONE]\n\n", answer, StringComparison.Ordinal);
        // --max-tokens caps what the request asked for.
        Assert.Contains("\"completion_tokens\":700", answer, StringComparison.Ordinal);
        Assert.Equal(0, await tool.ExitCodeAsync());
        Assert.Contains("Stopping", tool.Error, StringComparison.Ordinal);
    }
}
