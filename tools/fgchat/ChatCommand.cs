using System.CommandLine;
using Fastgen.Engine;
using Fastgen.Engine.Sampling;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgChat;

/// <summary>The command line of fgchat.</summary>
internal static class ChatCommand
{
    private const string Description = """
        Chats with a model in the terminal, or answers each line of standard input.

        Examples:
          fgchat models/demo
          fgchat Qwen/Qwen2.5-0.5B-Instruct --temperature 0 --max-tokens 200
          echo "Write a haiku." | fgchat models/demo
        """;

    public static Task<int> RunAsync(string[] args)
    {
        var command = new RootCommand(Description);
        var arguments = new EngineArguments(command);
        var system = new Option<string?>("--system") { Description = "System message that opens the conversation" };
        command.Options.Add(system);
        command.SetAction((parsed, _) => ChatAsync(arguments, parsed, parsed.GetValue(system)));
        return CommandRunner.RunAsync("fgchat", command, args);
    }

    private static async Task<int> ChatAsync(EngineArguments arguments, ParseResult parsed, string? system)
    {
        LlmEngine? engine = await ModelLoading.TryLoadAsync("fgchat", arguments.Model(parsed), arguments.ToEngineOptions(parsed), arguments.Verbose(parsed), tells: arguments.Verbose(parsed));
        if (engine is null)
        {
            return 1;
        }

        await using (engine)
        {
            SamplingParameters defaults = engine.Defaults.ToSampling();
            var sampling = defaults with
            {
                Temperature = arguments.Temperature(parsed) ?? defaults.Temperature,
                TopP = arguments.TopP(parsed) ?? defaults.TopP,
                MaxTokens = arguments.MaxTokens(parsed),
            };
            return await new ChatSession(engine, sampling, system, arguments.Verbose(parsed)).RunAsync();
        }
    }
}
