using System.Globalization;
using Fastgen.Engine.Model.Inspection;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgServe;

/// <summary>fgserve --check: what a model folder holds and whether it can be served, without loading weights.</summary>
internal static class ModelCheck
{
    /// <returns>0 when nothing stands in the way, 1 otherwise.</returns>
    public static int Run(string model, bool json)
    {
        ModelInspection report = ModelInspection.Read(model);

        // Names and messages come from the folder, which may be anybody's.
        Console.WriteLine(json ? report.ToJson() : TerminalOutput.WithoutControlCodes(Describe(report)));
        return report.IsSupported ? 0 : 1;
    }

    private static string Describe(ModelInspection report)
    {
        var lines = new List<string> { report.Path };
        if (report.Architecture is { } architecture)
        {
            Add("architecture", $"{architecture.Name ?? "unnamed"}{(architecture.IsSupported ? "" : " (not supported as it is)")}{(architecture.TextModel is { } text ? $": text only, as {text}; images are not read" : "")}");
            Add("shape", Join(
                Count(architecture.Layers, "layers"), Count(architecture.HiddenSize, "wide"), Count(architecture.Heads, "heads"), Count(architecture.KeyValueHeads, "key and value heads"),
                Count(architecture.HeadDim, "dimensions each"), Count(architecture.Experts, "experts"), Count(architecture.VocabularySize, "tokens known")));
            Add("context", Join(Count(architecture.ContextTokens, "tokens"), architecture.Rope is { } rope ? $"rope {rope}" : null, architecture.WindowedLayers > 0 ? $"{architecture.WindowedLayers} layers with a window" : null));
            Add("quantisation", architecture.Quantization ?? "none");
        }

        if (report.Weights is { } weights)
        {
            Add("weights", $"{Parameters(weights.Parameters)} in {weights.Files} file(s), {Gigabytes(weights.DiskBytes)}: "
                + string.Join(", ", weights.Types.Select(type => $"{type.Type} {Gigabytes(type.Bytes)}")));
        }

        if (report.Weights?.Ignored is { Count: > 0 } ignored)
        {
            Add("not read", string.Join(", ", ignored.Select(part => $"{part.Name} ({part.Tensors} tensors, {Gigabytes(part.Bytes)})")));
        }

        if (report.Memory is { } memory)
        {
            Add("memory", $"{Gigabytes(memory.WeightBytes)} weights; {Number(memory.CacheBytesPer1kTokens / 1e6)} MB per 1,024 tokens of context (16 bits), {Gigabytes(memory.FullContextCacheBytes)} for a whole one");
        }

        if (report.Architecture is not null || report.Tokenizer is not null)
        {
            Add("tokenizer", report.Tokenizer is not { } tokenizer ? "none: prompts are token ids only" : Join(
                tokenizer.File, tokenizer.Model, Count(tokenizer.VocabularySize, "tokens"), Count(tokenizer.AddedTokens, "added"), Parts("normalizers", tokenizer.Normalizers),
                Parts("pre-tokenizers", tokenizer.PreTokenizers), Parts("post-processors", tokenizer.PostProcessors), Parts("decoders", tokenizer.Decoders)));
        }

        foreach (TemplateReport template in report.Templates)
        {
            Add($"template {template.Name}", Join(
                template.Renders ? null : "refuses a plain conversation",
                (template.System ? "" : "no ") + "system message",
                (template.Tools ? "" : "no ") + "tools",
                (template.GenerationPrompt ? "" : "no ") + "generation prompt",
                Parts("asks for", template.Arguments),
                Parts("unknown filters", template.UnknownFilters),
                Parts("unknown tests", template.UnknownTests)));
        }

        foreach (InspectionProblem problem in report.Problems)
        {
            lines.Add($"  {(problem.IsUnsupported ? "NOT SUPPORTED" : "WRONG")} ({problem.Part}): {problem.Message}");
        }

        lines.Add(report.IsSupported ? "This model can be served." : "This model cannot be served as it is.");
        return string.Join('\n', lines);

        void Add(string name, string value) => lines.Add($"  {name,-14} {value}");
    }

    private static string Join(params string?[] parts) => string.Join(", ", parts.Where(part => !string.IsNullOrEmpty(part)));

    private static string? Count(long? count, string what) => count is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value:N0} {what}") : null;

    private static string? Parts(string what, IReadOnlyList<string> parts) => parts.Count > 0 ? $"{what} {string.Join(" + ", parts)}" : null;

    private static string Parameters(long count) => count < 1_000_000_000 ? $"{Number(count / 1e6)} million parameters" : $"{Number(count / 1e9)} billion parameters";

    private static string Gigabytes(long bytes) => bytes < 1_000_000_000 ? $"{Number(bytes / 1e6)} MB" : $"{Number(bytes / 1e9)} GB";

    private static string Number(double value) => value.ToString(value < 10 ? "0.00" : "N1", CultureInfo.InvariantCulture);
}
