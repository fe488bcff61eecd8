using System.Net.Sockets;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Engine;
using Fastgen.OpenAI;
using Fastgen.Serving;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgServe;

/// <summary>The web server over one engine.</summary>
internal static class Server
{
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(30);

    /// <returns>The process's exit code.</returns>
    public static async Task<int> RunAsync(LlmEngine engine, ServeOptions options)
    {
        string[] names = options.ServedNames.Count > 0 ? [.. options.ServedNames] : [engine.ModelName];
        await using WebApplication app = Build(engine, options, names);
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            TerminalOutput.WriteError("fgserve", options.Verbose ? e.ToString() : e.Message);
            return 1;
        }

        using var interrupts = new DrainOnInterrupt(app.Lifetime, () => engine.Statistics.RunningSequences + engine.Statistics.WaitingSequences);
        PrintAddress(app.Urls.First(), names[0], options.ApiKey is not null);
        await app.WaitForShutdownAsync();
        return 0;
    }

    private static WebApplication Build(LlmEngine engine, ServeOptions options, string[] names)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(options.Verbose ? LogLevel.Information : LogLevel.Error);
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true);
        // Standard output belongs to the address; logs go to standard error.
        builder.Logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(ListenAddress.Resolve(options.Host), options.Port);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = DrainTime);
        builder.Services.AddSingleton<IGenerationService>(new EngineGenerationService(engine, new EngineServiceOptions
        {
            ModelNames = names,
            DefaultTemperature = options.Temperature,
            DefaultTopP = options.TopP,
            MaxTokens = options.MaxTokens,
        }));
        WebApplication app = builder.Build();
        var api = new OpenAiOptions { ApiKey = options.ApiKey };
        app.MapGet("/health", context => WriteHealthAsync(context, engine));
        app.MapOpenAi(api);
        app.MapOpenAiNotFound(api);
        return app;
    }

    private static async Task WriteHealthAsync(HttpContext context, LlmEngine engine)
    {
        EngineStatistics now = engine.Statistics;
        context.Response.StatusCode = now.IsFaulted ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        context.Response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("status", now.IsFaulted ? "faulted" : "ok");
        writer.WriteNumber("running", now.RunningSequences);
        writer.WriteNumber("waiting", now.WaitingSequences);
        writer.WriteNumber("free_blocks", now.FreeBlocks);
        writer.WriteNumber("total_blocks", now.TotalBlocks);
        writer.WriteEndObject();
    }

    private static void PrintAddress(string address, string model, bool needsKey)
    {
        string reachable = address.Replace("//0.0.0.0", "//127.0.0.1", StringComparison.Ordinal).Replace("//[::]", "//[::1]", StringComparison.Ordinal);
        string key = needsKey ? " -H 'Authorization: Bearer YOUR_KEY'" : "";
        Console.WriteLine($"{TerminalOutput.Green("Serving")} {model} at {address}/v1 (Ctrl-C stops)");
        Console.WriteLine("Try:");
        Console.WriteLine(
            $$"""  curl -N {{reachable}}/v1/chat/completions -H 'Content-Type: application/json'{{key}} -d '{"model":"{{model}}","messages":[{"role":"user","content":"Hello!"}],"stream":true}'""");
    }
}
