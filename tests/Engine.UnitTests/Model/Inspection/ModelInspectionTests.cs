using System.Text.Json;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Inspection;
using Fastgen.Engine.UnitTests.Model.Checkpoints;
using Fastgen.Engine.UnitTests.Text;

namespace Fastgen.Engine.UnitTests.Model.Inspection;

public sealed class ModelInspectionTests
{
    private const string Template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        + "{% if tools %}{{ tools | tojson }}{% endif %}{% if enable_thinking is defined and enable_thinking %}think{% endif %}{% if add_generation_prompt %}assistant:{% endif %}";

    [Fact]
    public void WholeFolder()
    {
        using var folder = Folder();
        var report = ModelInspection.Read(folder.Root);

        Assert.Equal("", string.Join("\n", report.Problems));
        Assert.True(report.IsSupported);
        Assert.Equal("LlamaForCausalLM", report.Architecture!.Name);
        Assert.Equal((3L, 64L, 4L, 2L, 16L, 100L, 256L), (report.Architecture.Layers, report.Architecture.HiddenSize, report.Architecture.Heads, report.Architecture.KeyValueHeads, report.Architecture.HeadDim, report.Architecture.VocabularySize, report.Architecture.ContextTokens));
        Assert.Equal("default", report.Architecture.Rope);

        // Two tables of 100 x 64, 7 norms of 64, and in each of 3 layers q and o 64 x 64, k and v 32 x 64, gate, up and down 96 x 64.
        const long Parameters = (2 * 100 * 64) + (7 * 64) + (3 * ((2 * 64 * 64) + (2 * 32 * 64) + (3 * 96 * 64)));
        Assert.Equal(Parameters, report.Weights!.Parameters);
        Assert.Equal(Parameters * 4, report.Weights.TensorBytes);
        Assert.Equal(new FileInfo(Path.Combine(folder.Root, "model.safetensors")).Length, report.Weights.DiskBytes);
        Assert.Equal(("F32", report.Weights.Tensors), (Assert.Single(report.Weights.Types).Type, report.Weights.Types[0].Tensors));

        // 3 layers, keys and values, 2 heads of 16, 2 bytes.
        Assert.Equal(3 * 2 * 2 * 16 * 2 * 1024, report.Memory!.CacheBytesPer1kTokens);
        Assert.Equal(report.Memory.CacheBytesPer1kTokens / 4, report.Memory.FullContextCacheBytes);
        Assert.Equal(Parameters * 4, report.Memory.WeightBytes);

        Assert.Equal(("tokenizer.json", "BPE, byte fallback"), (report.Tokenizer!.File, report.Tokenizer.Model));
        Assert.Equal(["Prepend", "Replace"], report.Tokenizer.Normalizers);
        Assert.Empty(report.Tokenizer.PreTokenizers);
        Assert.Equal(["Replace", "ByteFallback", "Fuse", "Strip"], report.Tokenizer.Decoders);
        Assert.Equal(3, report.Tokenizer.AddedTokens);

        var template = Assert.Single(report.Templates);
        Assert.True(template is { Name: "default", Renders: true, System: true, Tools: true, GenerationPrompt: true });
        Assert.Equal(["enable_thinking"], template.Arguments);
        Assert.Empty(template.UnknownFilters);
    }

    [Fact]
    public void MemoryIsKnownWithoutWeights()
    {
        using var folder = Folder();
        var whole = ModelInspection.Read(folder.Root).Memory;
        File.Delete(Path.Combine(folder.Root, "model.safetensors"));
        var report = ModelInspection.Read(folder.Root);
        Assert.Equal("weights", Assert.Single(report.Problems).Part);
        Assert.Equal(whole, report.Memory);
    }

    [Fact]
    public void JsonHasTheSame()
    {
        using var folder = Folder();
        var json = JsonElement.Parse(ModelInspection.Read(folder.Root).ToJson());
        Assert.True(json.GetProperty("isSupported").GetBoolean());
        Assert.Equal("LlamaForCausalLM", json.GetProperty("architecture").GetProperty("name").GetString());
        Assert.Equal("F32", json.GetProperty("weights").GetProperty("types")[0].GetProperty("type").GetString());
        Assert.Equal("default", json.GetProperty("templates")[0].GetProperty("name").GetString());
    }

    [Fact]
    public void UnknownArchitectureIsRefusedByNameAndTheRestReported()
    {
        using var folder = Folder();
        folder.Write("config.json", ConfigText.With("""{"architectures":["MambaForCausalLM"],"rope_scaling":{"rope_type":"su"},"quantization_config":{"quant_method":"hqq"}}"""));
        var report = ModelInspection.Read(folder.Root);

        Assert.False(report.IsSupported);
        Assert.Contains(report.Problems, problem => problem is { Part: "config", IsUnsupported: true } && problem.Message.Contains("MambaForCausalLM", StringComparison.Ordinal));
        Assert.Equal(("MambaForCausalLM", false, "su", "hqq", 256L), (report.Architecture!.Name, report.Architecture.IsSupported, report.Architecture.Rope, report.Architecture.Quantization, report.Architecture.ContextTokens));
        Assert.Contains("LlamaForCausalLM", report.Architecture.Supported);
        Assert.NotNull(report.Weights);
        Assert.Null(report.Memory);
        Assert.NotNull(report.Tokenizer);
        Assert.Single(report.Templates);
    }

    [Fact]
    public void EveryPartMayBeBroken()
    {
        using var folder = Folder();
        folder.Write("config.json", "{");
        folder.Write("model.safetensors", [1, 2, 3]);
        folder.Write("tokenizer.json", """{"model":{"type":"WordPiece","vocab":{"a":0}}}""");
        folder.Write("chat_template.jinja", "{% if %}");
        var report = ModelInspection.Read(folder.Root);

        Assert.Equal(["config", "template", "tokenizer", "weights"], report.Problems.Select(problem => problem.Part).Distinct().Order());
        Assert.False(report.Tokenizer!.IsSupported);
        Assert.Equal("WordPiece", report.Tokenizer.Model);
        Assert.Equal(0, report.Weights!.Files);
    }

    [Fact]
    public void MissingTensorsAndFoldersAreNamed()
    {
        using var folder = Folder();
        folder.Write("config.json", ConfigText.With("""{"num_hidden_layers":4}"""));
        Assert.Contains("layers.3.", Assert.Single(ModelInspection.Read(folder.Root).Problems).Message, StringComparison.Ordinal);

        var nothing = ModelInspection.Read(Path.Combine(folder.Root, "nothing"));
        Assert.Equal("folder", Assert.Single(nothing.Problems).Part);
        Assert.Null(nothing.Architecture);
    }

    [Fact]
    public void TemplateWithoutFeaturesAndWithUnknownNames()
    {
        using var folder = Folder();
        folder.Write("chat_template.jinja", "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}{% if m.x %}{{ m.x | sparkle }}{{ m is shiny }}{% endif %}{% endfor %}");
        var template = Assert.Single(ModelInspection.Read(folder.Root).Templates);

        Assert.True(template is { Renders: true, System: false, Tools: false, GenerationPrompt: false });
        Assert.Equal(["sparkle"], template.UnknownFilters);
        Assert.Equal(["shiny"], template.UnknownTests);
        Assert.Empty(template.Arguments);
    }

    [Fact]
    public void DamagedFoldersNeverThrow()
    {
        using var folder = Folder();
        string[] names = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors"];
        folder.Write("tokenizer_config.json", """{"bos_token":"<s>","eos_token":{"content":"</s>"}}""");
        var originals = names.ToDictionary(name => name, name => File.ReadAllBytes(Path.Combine(folder.Root, name)));
        for (var i = 0; i < 60; i++)
        {
            var random = new Random(i);
            var name = names[random.Next(names.Length)];
            folder.Write(name, new Fuzzing.ByteMutator(random, ["{", "null", "[]", "{%", "}}"]).Mutate(originals[name]));
            var report = ModelInspection.Read(folder.Root);
            Assert.NotEmpty(report.ToJson());
            folder.Write(name, originals[name]);
        }
    }

    private static TemporaryFolder Folder()
    {
        var folder = new TemporaryFolder();
        folder.Write("config.json", ConfigText.Llama);
        folder.Write("chat_template.jinja", Template);
        folder.Write("tokenizer.json", SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteFallback()));
        var config = ConfigText.Read(ConfigText.Llama);
        folder.Write("model.safetensors", SafetensorsBytes.Floats([.. WeightLoader.ExpectedTensors(config)
            .Select(tensor => (tensor.Name, tensor.Rows == 1 ? [tensor.Columns] : new[] { tensor.Rows, tensor.Columns }, new float[tensor.Rows * tensor.Columns]))]));
        return folder;
    }
}
