using System.Globalization;
using System.Text.RegularExpressions;
using Fastgen.Services.Tests.Hosting;
using Fastgen.Tools.FgChat;

namespace Fastgen.Services.Tests.Tools;

public sealed partial class FgChatTests
{
    private const string Script = "/usr/bin/script";

    [GeneratedRegex(@"^--- \[(?<tokens>\d+) tokens, \d+\.\d toks/s\].*$", RegexOptions.Multiline)]
    private static partial Regex StatisticsLine();

    [Theory]
    [InlineData("hello", "Message", "hello", 0)]
    [InlineData("  hello /r ", "Message", "hello /r", 0)]
    [InlineData("/etc/hosts is what?", "Message", "/etc/hosts is what?", 0)]
    [InlineData("/ 2 = ?", "Message", "/ 2 = ?", 0)]
    [InlineData("   ", "Empty", "", 0)]
    [InlineData("/q", "Quit", "", 0)]
    [InlineData("/m", "MultiLine", "", 0)]
    [InlineData("/help", "Help", "", 0)]
    [InlineData("/r 3", "Reset", "3", 3)]
    [InlineData("/r", "Reset", "", 0)]
    [InlineData("/r -1", "Reset", "-1", 0)]
    [InlineData("/r 99999999999", "Reset", "99999999999", 0)]
    [InlineData("/retry now", "Unknown", "/retry", 0)]
    public void Lines_are_commands_or_messages(string line, string kind, string text, int round)
    {
        var parsed = ChatLine.Parse(line);

        Assert.Equal((kind, text, round), (parsed.Kind.ToString(), parsed.Text, parsed.Round));
    }

    [Fact]
    public async Task Piped_it_answers_each_line_and_ends_with_the_input()
    {
        using var model = new TinyChatModel();
        await using ToolProcess tool = ToolProcess.Start("fgchat", model.Folder, "--backend", "cpu", "--max-tokens", "5", "--temperature", "0");
        await tool.TypeAsync("hello\n/r 1\nhello\n\n/help\n/nonsense\n/r 7\n/m\ntwo\nlines\n.\n");
        tool.Input.Close();

        Assert.Equal(0, await tool.ExitCodeAsync());
        MatchCollection statistics = StatisticsLine().Matches(tool.Output);
        Assert.Equal(3, statistics.Count);
        Assert.All(statistics, match => Assert.InRange(int.Parse(match.Groups["tokens"].Value, CultureInfo.InvariantCulture), 1, 5));
        string[] answers = StatisticsLine().Split(tool.Output);
        // After /r 1 the conversation is what it was at first, and greedy answers are the same.
        Assert.NotEqual("", answers[0].Trim());
        Assert.Equal(answers[0].Trim(), answers[2].Trim());
        Assert.Contains("/r N", tool.Output, StringComparison.Ordinal);
        Assert.Contains("There is no command /nonsense", tool.Output, StringComparison.Ordinal);
        Assert.Contains("'/r 7' names no round; it must be a number from 1 to 2.", tool.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\e[", tool.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', tool.Error);
        Assert.DoesNotContain('\r', tool.Error);
        Assert.Contains("loaded in", tool.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_long_a_message_is_told_and_the_chat_goes_on()
    {
        using var model = new TinyChatModel();
        await using ToolProcess tool = ToolProcess.Start("fgchat", model.Folder, "--backend", "cpu", "--max-tokens", "3");
        await tool.TypeAsync(new string('x', 1100) + "\nshort\n");
        tool.Input.Close();

        Assert.Equal(0, await tool.ExitCodeAsync());
        Assert.Contains("1,024", tool.Output, StringComparison.Ordinal);
        Assert.Single(StatisticsLine().Matches(tool.Output));
    }

    [Fact]
    public async Task A_missing_model_is_one_line()
    {
        await using ToolProcess tool = ToolProcess.Start("fgchat", "/no/such/model");

        Assert.Equal(1, await tool.ExitCodeAsync());
        Assert.StartsWith("fgchat: ", Assert.Single(tool.Error.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_terminal_it_prompts_interrupts_and_quits()
    {
        Assert.SkipUnless(File.Exists(Script), "needs 'script' of util-linux for a pseudo-terminal");
        using var model = new TinyChatModel(endless: true);
        await using ToolProcess tool = StartInTerminal(model, "TERM=xterm", "--temperature 1 --kv-cache-gb 0.2");
        await tool.WaitForOutputAsync(output => output.EndsWith("1> ", StringComparison.Ordinal));
        Assert.Contains("\e[32mReady to chat!", tool.Output, StringComparison.Ordinal);
        Assert.Contains("[##", tool.Output, StringComparison.Ordinal);

        await tool.TypeAsync("hello\n");
        int typed = tool.Output.Length;
        await tool.WaitForOutputAsync(output => output.Length > typed + 20);
        await tool.TypeAsync("\u0003");
        await tool.WaitForOutputAsync(output => output.EndsWith("2> ", StringComparison.Ordinal));
        Assert.Matches(@"--- \[\d+ tokens, \d+\.\d toks/s\]", tool.Output);

        await tool.TypeAsync("\u0003");
        await tool.WaitForOutputAsync(output => output.Contains("Ctrl-C again", StringComparison.Ordinal));
        await tool.TypeAsync("/q\n");
        Assert.Equal(0, await tool.ExitCodeAsync());
    }

    [Theory]
    [InlineData("\u0004", 0)]
    [InlineData("\u0003\u0003", 130)]
    public async Task In_a_terminal_control_keys_quit(string keys, int exitCode)
    {
        Assert.SkipUnless(File.Exists(Script), "needs 'script' of util-linux for a pseudo-terminal");
        using var model = new TinyChatModel();
        await using ToolProcess tool = StartInTerminal(model, "TERM=xterm NO_COLOR=1", "");
        await tool.WaitForOutputAsync(output => output.EndsWith("1> ", StringComparison.Ordinal));
        Assert.DoesNotContain("\e[32m", tool.Output, StringComparison.Ordinal);
        await WaitUntilItReadsAsync(model);
        await tool.TypeAsync(keys[..1]);
        if (keys.Length > 1)
        {
            // Signals that nobody has taken yet are one.
            await tool.WaitForOutputAsync(output => output.Contains("Ctrl-C again", StringComparison.Ordinal));
            await tool.TypeAsync(keys[1..]);
        }

        Assert.Equal(exitCode, await tool.ExitCodeAsync());
    }

    /// <summary>Waits until the chat reads keys: what is typed between its prompt and that is a line of the terminal's, where Ctrl-D is no key.</summary>
    private static async Task WaitUntilItReadsAsync(TinyChatModel model)
    {
        RunningProcess chat = Assert.Single(RunningProcess.WithArgument($"{model.Folder} --backend"), process => process.CommandLine.StartsWith(ToolProcess.PathOf("fgchat"), StringComparison.Ordinal));
        string terminal = File.ResolveLinkTarget($"/proc/{chat.Id}/fd/0", returnFinalTarget: false)!.FullName;
        await Eventually.BeTrueAsync(async () =>
        {
            await using ToolProcess stty = ToolProcess.StartProgram("stty", "-F", terminal, "-a");
            Assert.Equal(0, await stty.ExitCodeAsync());
            return stty.Output.Contains("-icanon", StringComparison.Ordinal);
        });
    }

    /// <remarks><c>exec</c>, since 'script' asks $SHELL, and one that stays in between dies of the Ctrl-C that was typed and tells 130.</remarks>
    private static ToolProcess StartInTerminal(TinyChatModel model, string environment, string options) => ToolProcess.StartProgram(
        Script, "-qec", $"exec env {environment} {ToolProcess.PathOf("fgchat")} {model.Folder} --backend cpu {options}", "/dev/null");
}
