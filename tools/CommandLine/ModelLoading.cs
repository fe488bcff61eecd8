using Fastgen.Engine;

namespace Fastgen.Tools.CommandLine;

/// <summary>Loads a model and tells people how it goes.</summary>
internal static class ModelLoading
{
    /// <summary>The engine, or null after one line on standard error that says what is wrong.</summary>
    /// <param name="tells">Writes what the engine tells about its choices and its memory to standard error.</param>
    public static async Task<LlmEngine?> TryLoadAsync(string tool, string model, EngineOptions options, bool verbose, bool tells)
    {
        var progress = new LoadProgressBar(DisplayName(model));
        if (tells)
        {
            options = options with { Report = progress.Tell };
        }

        try
        {
            LlmEngine engine = await LlmEngine.LoadAsync(model, options, progress);
            progress.Done();
            return engine;
        }
        catch (Exception e)
        {
            progress.Clear();
            TerminalOutput.WriteError(tool, verbose ? e.ToString() : e.Message.ReplaceLineEndings(" "));
            return null;
        }
    }

    /// <summary>The folder's name, or the repo id as it was given.</summary>
    public static string DisplayName(string model) =>
        Directory.Exists(model) ? new DirectoryInfo(model).Name : model;
}
