using System.CommandLine;
using Fastgen.Engine;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgServe;

/// <summary>The command line of fgserve.</summary>
internal static class ServeCommand
{
    private const string Description = """
        Serves a model over the OpenAI HTTP API.

        Examples:
          fgserve models/demo
          fgserve Qwen/Qwen2.5-0.5B-Instruct --port 8000 --max-tokens 512
          fgserve models/demo --host 0.0.0.0 --api-key secret --served-model-name demo
          fgserve --check models/demo
          fgserve models/shapes/mistral-7b --dummy-weights --max-batch 512 --no-prefix-cache
        """;

    public static Task<int> RunAsync(string[] args)
    {
        var command = new RootCommand(Description);
        var engineArguments = new EngineArguments(command);
        var host = new Option<string>("--host") { Description = "Address to listen on; 0.0.0.0 is every address of this machine", DefaultValueFactory = _ => "127.0.0.1" };
        Option<int?> port = NumberOption.Whole("--port", "Port to listen on; 0 takes any free one", 0, 65535, 5678);
        var apiKey = new Option<string?>("--api-key") { Description = "Key that clients must send as 'Authorization: Bearer KEY' [default: none is asked for]" };
        var names = new Option<string[]>("--served-model-name") { Description = "Name that requests use, repeatable [default: the folder's name or the repo id]" };
        command.Options.Add(host);
        command.Options.Add(port);
        command.Options.Add(apiKey);
        command.Options.Add(names);
        var check = new Option<bool>("--check") { Description = "Report what the folder holds, what it needs and what is not supported, without loading weights; exit code 1 if it cannot be served" };
        var json = new Option<bool>("--json") { Description = "With --check: the report as JSON" };
        command.Options.Add(check);
        command.Options.Add(json);
        command.SetAction((parsed, _) => parsed.GetValue(check) ? Task.FromResult(ModelCheck.Run(engineArguments.Model(parsed), parsed.GetValue(json))) : ServeAsync(
            new ServeOptions
            {
                Model = engineArguments.Model(parsed),
                Engine = engineArguments.ToEngineOptions(parsed),
                Temperature = engineArguments.Temperature(parsed),
                TopP = engineArguments.TopP(parsed),
                MaxTokens = engineArguments.MaxTokens(parsed),
                Verbose = engineArguments.Verbose(parsed),
                Host = parsed.GetRequiredValue(host),
                Port = parsed.GetRequiredValue(port)!.Value,
                ApiKey = parsed.GetValue(apiKey),
                ServedNames = parsed.GetValue(names) ?? [],
            }));
        return CommandRunner.RunAsync("fgserve", command, args);
    }

    private static async Task<int> ServeAsync(ServeOptions options)
    {
        // Before the model is loaded, which may take minutes.
        if (ListenAddress.Problem(options.Host, options.Port) is { } problem)
        {
            TerminalOutput.WriteError("fgserve", problem);
            return 1;
        }

        LlmEngine? engine = await ModelLoading.TryLoadAsync("fgserve", options.Model, options.Engine, options.Verbose, tells: true);
        if (engine is null)
        {
            return 1;
        }

        await using (engine)
        {
            return await Server.RunAsync(engine, options);
        }
    }
}
