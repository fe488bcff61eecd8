using System.Globalization;
using System.Text.RegularExpressions;
using Fastgen.Services.Tests.Architecture;
using Fastgen.Services.Tests.Tools;

namespace Fastgen.Services.Tests.Docs;

/// <summary>What README.md shows compiles, runs on the demo model, and does what the text says.</summary>
public sealed partial class ReadmeExampleTests(ReadmePrograms programs) : IClassFixture<ReadmePrograms>
{
    private const string GatewayAddress = "http://localhost:8080";

    [Fact]
    public async Task Streaming_prints_a_haiku()
    {
        string text = await programs.RunAsync(Block("csharp", "StreamAsync("));

        Assert.Equal(3, text.Trim().Split('\n').Length);
    }

    [Fact]
    public async Task The_batch_gets_its_sums_right()
    {
        string text = await programs.RunAsync(Block("csharp", "MaxRunningSequences"));

        Match result = Regex.Match(text, @"^(\d+) of 40 sums are right\.\n$");
        Assert.True(result.Success, text);
        // The model's own evaluation gives 99.6 % for such sums, in many wordings.
        Assert.InRange(int.Parse(result.Groups[1].Value, CultureInfo.InvariantCulture), 36, 40);
    }

    [Fact]
    public async Task Four_rollouts_have_tokens_and_log_probabilities()
    {
        string text = await programs.RunAsync(Block("csharp", "Logprobs"));

        MatchCollection lines = RolloutLine().Matches(text);
        Assert.Equal(4, lines.Count);
        Assert.All(lines, line =>
        {
            Assert.InRange(int.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture), 2, 60);
            Assert.InRange(double.Parse(line.Groups[2].Value, CultureInfo.InvariantCulture), -200, 0);
        });
    }

    [Fact]
    public async Task The_OpenAI_client_gets_the_sum_from_a_server()
    {
        await using ToolProcess server = await StartServerAsync();

        Assert.Contains("72", await programs.RunAsync(At(server, Block("csharp", "using OpenAI;"))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_curl_line_streams_an_answer()
    {
        Assert.SkipUnless(File.Exists("/bin/bash") && File.Exists("/usr/bin/curl"), "needs bash and curl");
        await using ToolProcess server = await StartServerAsync();
        await using ToolProcess curl = ToolProcess.StartProgram("/bin/bash", "-c", At(server, Block("bash", "curl")));

        Assert.Equal(0, await curl.ExitCodeAsync());
        Assert.Contains("\"delta\":{\"content\":", curl.Output, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", curl.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_csharp_block_is_one_of_those_above() => Assert.Equal(4, ReadmePrograms.Blocks("csharp").Count);

    [Theory]
    [InlineData("fgserve", "fgserve and fgchat")]
    [InlineData("fgchat", "fgserve and fgchat")]
    public async Task Options_in_the_text_are_options_of_the_tool(string tool, string section)
    {
        string text = Section(section);
        string[] options = [.. OptionMark().Matches(text).Select(match => match.Value.Trim('`')).Distinct()];
        Assert.True(options.Length >= 13, $"Only {options.Length} options in the section '{section}'.");
        string[] serverOnly = ["--host", "--port", "--api-key", "--served-model-name"];
        await using ToolProcess help = ToolProcess.Start(tool, "--help");

        Assert.Equal(0, await help.ExitCodeAsync());
        Assert.All(options.Except(tool == "fgserve" ? [] : serverOnly), option => Assert.Contains(option, help.Output, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("docs/fgbench.md")]
    [InlineData("docs/adr/0001-own-cuda-bindings.md")]
    [InlineData("docs/adr/0002-own-resp3-client.md")]
    [InlineData("docs/adr/0003-hosting-beside-aspire.md")]
    [InlineData("docs/adr/0004-serving-folder.md")]
    [InlineData("docs/adr/0005-own-text-stack.md")]
    public void Every_link_leads_to_a_file_or_folder(string page)
    {
        string folder = Path.GetDirectoryName(Path.Combine(SourceTree.Root, page))!;
        string[] targets = [.. Links().Matches(SourceTree.Read(page)).Select(match => match.Groups[1].Value).Where(target => !target.Contains("://", StringComparison.Ordinal))];
        Assert.NotEmpty(targets);
        Assert.All(targets, target => Assert.True(Path.Exists(Path.Combine(folder, target.Split('#')[0])), $"{page} links to {target}, which is not there."));
    }

    private static string Block(string language, string content) => Assert.Single(ReadmePrograms.Blocks(language), block => block.Contains(content, StringComparison.Ordinal));

    private static string Section(string title) => SourceTree.Read("README.md").Split("\n## ").Single(section => section.StartsWith(title, StringComparison.Ordinal));

    private static async Task<ToolProcess> StartServerAsync()
    {
        ToolProcess server = ToolProcess.Start("fgserve", Path.Combine(SourceTree.Root, "models", "demo"), "--port", "0", "--temperature", "0", "--kv-cache-gb", "0.05");
        await server.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        return server;
    }

    /// <summary>The example, asking a server of the tests instead of the gateway's usual port.</summary>
    private static string At(ToolProcess server, string example)
    {
        Assert.Contains(GatewayAddress, example, StringComparison.Ordinal);
        return example.Replace(GatewayAddress, ServedModel.AddressIn(server.Output).GetLeftPart(UriPartial.Authority), StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^(\d+) tokens, log p = (-?\d+\.\d\d): \S", RegexOptions.Multiline)]
    private static partial Regex RolloutLine();

    [GeneratedRegex("`--[a-z-]+`")]
    private static partial Regex OptionMark();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Links();
}
