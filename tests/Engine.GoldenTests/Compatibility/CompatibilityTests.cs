using System.Text.Json;
using Fastgen.Engine.Backends;
using Fastgen.Engine.GoldenTests.Models;
using Fastgen.Engine.GoldenTests.Models.Rewriting;
using Fastgen.Engine.GoldenTests.Text;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.GoldenTests.Compatibility;

/// <summary>docs/compatibility.md says what the golden data shows. Names that only one of the two has are left alone, so that other data may be there.</summary>
public sealed class CompatibilityTests
{
    private const double LogitTolerance = 1e-3;

    [Fact]
    public void CommittedFileAgreesWithThisRun()
    {
        var rows = Worst([.. Tokenizers(), .. Templates(), .. Models(), .. Wrapped(), .. Rewritten()]);
        if (Environment.GetEnvironmentVariable("FASTGEN_WRITE_COMPATIBILITY") == "1")
        {
            CompatibilityFile.Write(rows);
        }

        var committed = CompatibilityFile.Read();
        Assert.NotEmpty(committed);
        var stale = rows
            .Where(row => committed.TryGetValue((row.Section, row.Name), out var result) && result != row.Result)
            .Select(row => $"{row.Section}, {row.Name}: the file says '{committed[(row.Section, row.Name)]}', this run '{row.Result}'")
            .ToList();
        Assert.True(stale.Count == 0, $"docs/compatibility.md is out of date; run this test with FASTGEN_WRITE_COMPATIBILITY=1 and look at the change:\n{string.Join("\n", stale)}");
    }

    // Several sets may have a case of one name; the worst counts.
    private static List<CompatibilityRow> Worst(IEnumerable<CompatibilityRow> rows) =>
        [.. rows.GroupBy(row => (row.Section, row.Name)).Select(group => group.OrderBy(row => row.Result == CompatibilityRow.Equal).First())];

    private static IEnumerable<CompatibilityRow> Tokenizers()
    {
        var details = Details("tokenizers", "manifest.json", "family");
        return TextGoldens.TokenizerNames().Select(name => Row(CompatibilityFile.TokenizerSection, name, details, () => TextGoldenResults.Tokenizer(name)));
    }

    private static IEnumerable<CompatibilityRow> Templates()
    {
        var details = Details("", "templates.meta.json", "source");
        return ChatTemplateGoldens.Files("templates", "*.jinja").Select(file => Path.GetFileNameWithoutExtension(file))
            .Select(name => Row(CompatibilityFile.TemplateSection, name, details, () => TextGoldenResults.Template(name)));
    }

    private static IEnumerable<CompatibilityRow> Models()
    {
        foreach (var (path, folder) in GoldenFolder.Models)
        {
            var name = path.Split('/')[^1];
            using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
            var architecture = config.RootElement.GetProperty("architectures")[0].GetString()!;
            var isQuantized = config.RootElement.TryGetProperty("quantization_config", out var quantization);
            var details = new Dictionary<string, string>(StringComparer.Ordinal) { [name] = isQuantized ? Describe(quantization) : architecture };
            yield return ModelGoldenTests.WhyUnsupported(folder) is null
                ? Row(isQuantized ? CompatibilityFile.QuantizationSection : CompatibilityFile.ArchitectureSection, name, details, () => RunModel(path, folder))
                : new CompatibilityRow(isQuantized ? CompatibilityFile.QuantizationSection : CompatibilityFile.ArchitectureSection, name, details[name], 0, CompatibilityRow.NotSupported);
        }
    }

    private static IEnumerable<CompatibilityRow> Wrapped()
    {
        foreach (var path in WrapperGoldenTests.Names.Where(path => !path.Split('/')[^1].StartsWith("q_", StringComparison.Ordinal)))
        {
            var name = path.Split('/')[^1];
            using var model = new RewrittenModel(path);
            if (model.Config["final_logit_softcapping"] is not null)
            {
                // The class around has no such cap: other logits are right there.
                continue;
            }

            WrapperGoldenTests.Wrap(model, "language_model.model.", "language_model.lm_head.", "");
            yield return Row(CompatibilityFile.WrapperSection, name, Details(name, model.Config["architectures"]![0]!.GetValue<string>()), () => Compare(model.OriginalLogits(), model.Logits()));
        }
    }

    private static IEnumerable<CompatibilityRow> Rewritten()
    {
        foreach (var path in MxFp4GoldenTests.Names)
        {
            yield return Row(path, "mxfp4", MxFp4GoldenTests.Round);
        }

        foreach (var path in QuantizedExpertsGoldenTests.Names)
        {
            foreach (var (format, writer) in QuantizedWriter.All)
            {
                yield return Row(path, format, (plain, packed) =>
                {
                    foreach (var (key, tensor) in writer.Quantize(packed))
                    {
                        plain.Tensors[key] = tensor;
                    }
                });
            }
        }

        static CompatibilityRow Row(string path, string format, Action<RewrittenModel, RewrittenModel> rewrite)
        {
            using var plain = new RewrittenModel(path);
            using var packed = new RewrittenModel(path);
            rewrite(plain, packed);
            var name = $"{path.Split('/')[^1]}, {format}";
            return CompatibilityTests.Row(CompatibilityFile.RewrittenSection, name, Details(name, packed.Config["quantization_config"]!["quant_method"]!.GetValue<string>()), () => Compare(plain.Logits(), packed.Logits()));
        }
    }

    private static GoldenResult Compare(List<float[]>[] expected, List<float[]>[] actual) =>
        new(expected.Sum(prompt => prompt.Count), RewrittenModel.Difference(expected, actual) <= LogitTolerance ? [] : ["logits"]);

    private static Dictionary<string, string> Details(string name, string detail) => new(StringComparer.Ordinal) { [name] = detail };

    private static string Describe(JsonElement quantization)
    {
        var method = quantization.GetProperty("quant_method").GetString();
        string[] keys = ["format", "bits", "group_size", "desc_act", "sym", "activation_scheme", "weight_block_size"];
        return string.Join(", ", keys.Where(key => quantization.TryGetProperty(key, out _)).Select(key => $"{key} {string.Concat(quantization.GetProperty(key).GetRawText().Where(c => c != '"' && !char.IsWhiteSpace(c)))}").Prepend(method));
    }

    private static GoldenResult RunModel(string name, string folder)
    {
        using var golden = new GoldenCase(name, folder);
        using var runner = ModelRunner.Load(new ModelRunnerOptions { Model = folder, BlockCount = 64, KvCacheType = KvCacheType.Fp32 });
        var run = new GoldenRun(runner, golden);
        run.Generate(chunk: int.MaxValue, together: true);
        var differences = new List<string>();
        for (var prompt = 0; prompt < golden.Prompts.Count; prompt++)
        {
            var logits = golden.Read<float>($"logits.{prompt}");
            for (var i = 0; i < logits.Length; i++)
            {
                if (!(Math.Abs((double)run.Logits[prompt][i / golden.VocabularySize][i % golden.VocabularySize] - logits[i]) <= LogitTolerance))
                {
                    differences.Add($"logits.{prompt}[{i}]");
                    break;
                }
            }

            if (!run.Tokens[prompt].SequenceEqual(golden.Tokens.AsSpan(prompt * golden.GeneratedPerPrompt, golden.GeneratedPerPrompt).ToArray()))
            {
                differences.Add($"tokens of prompt {prompt}");
            }
        }

        return new GoldenResult(golden.Tokens.Length, differences);
    }

    private static CompatibilityRow Row(string section, string name, Dictionary<string, string> details, Func<GoldenResult> check)
    {
        var detail = details.GetValueOrDefault(name, "");
        try
        {
            var result = check();
            return new CompatibilityRow(section, name, detail, result.Compared, result.Differences.Count == 0 ? CompatibilityRow.Equal : CompatibilityRow.Differs);
        }
        catch (Exception)
        {
            // The golden test of this name says what went wrong.
            return new CompatibilityRow(section, name, detail, 0, CompatibilityRow.Differs);
        }
    }

    private static Dictionary<string, string> Details(string folder, string file, string key)
    {
        var path = TextGoldens.Folder is null ? "" : Path.Combine(TextGoldens.Folder, folder, file);
        if (!File.Exists(path))
        {
            return [];
        }

        using var manifest = JsonDocument.Parse(File.ReadAllBytes(path));
        return manifest.RootElement.EnumerateArray().ToDictionary(
            entry => entry.GetProperty("name").GetString()!,
            entry => entry.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "",
            StringComparer.Ordinal);
    }
}
