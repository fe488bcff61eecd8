using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GoldenTests.Models.Rewriting;

/// <summary>A reference model in a folder of its own, to be changed: its config.json and its tensors, as they are stored.</summary>
internal sealed unsafe class RewrittenModel : IDisposable
{
    private readonly string _source;

    /// <param name="name">A case of <see cref="GoldenFolder.Models"/>.</param>
    public RewrittenModel(string name)
    {
        _source = GoldenFolder.Models[name];
        Name = name;
        Config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(_source, "config.json")))!.AsObject();
        foreach (var path in Checkpoint.FindFiles(_source))
        {
            using var file = SafetensorsFile.Open(path);
            foreach (var entry in file.Entries)
            {
                Tensors.Add(entry.Name, new RewrittenTensor(entry.Shape.TypeCode, [.. entry.Shape.Dimensions], new ReadOnlySpan<byte>((void*)file.Address(entry), (int)entry.ByteCount).ToArray()));
            }
        }
    }

    public string Name { get; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("fastgen-rewritten-").FullName;

    public JsonObject Config { get; private set; }

    public SortedDictionary<string, RewrittenTensor> Tensors { get; } = new(StringComparer.Ordinal);

    public void ReplaceConfig(JsonObject config) => Config = config;

    /// <summary>Writes the folder as it now is.</summary>
    public void Save()
    {
        File.WriteAllText(Path.Combine(Folder, "config.json"), Config.ToJsonString());
        var header = new JsonObject();
        var offset = 0L;
        foreach (var (name, tensor) in Tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = tensor.Type,
                ["shape"] = new JsonArray([.. tensor.Shape.Select(dimension => JsonValue.Create(dimension))]),
                ["data_offsets"] = new JsonArray(offset, offset + tensor.Data.Length),
            };
            offset += tensor.Data.Length;
        }

        var json = Encoding.UTF8.GetBytes(header.ToJsonString());
        using var stream = File.Create(Path.Combine(Folder, Checkpoint.SingleFile));
        stream.Write(BitConverter.GetBytes((long)json.Length));
        stream.Write(json);
        foreach (var tensor in Tensors.Values)
        {
            stream.Write(tensor.Data);
        }
    }

    /// <summary>Saves, loads and runs the case's prompts with the reference's tokens.</summary>
    /// <returns>[prompt][position] logits</returns>
    public List<float[]>[] Logits()
    {
        Save();
        return Logits(Folder);
    }

    /// <summary>The same of the model as it was.</summary>
    public List<float[]>[] OriginalLogits() => Logits(_source);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Cases by what their config.json says: the class, and the name of the quantisation or null.</summary>
    public static IEnumerable<string> Cases(Func<string, string?, bool> choose)
    {
        foreach (var (name, folder) in GoldenFolder.Models)
        {
            using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
            var method = config.RootElement.TryGetProperty("quantization_config", out var quantization) ? quantization.GetProperty("quant_method").GetString() : null;
            if (choose(config.RootElement.GetProperty("architectures")[0].GetString()!, method))
            {
                yield return name;
            }
        }
    }

    /// <summary>Largest difference of two runs' logits.</summary>
    public static double Difference(List<float[]>[] expected, List<float[]>[] actual) =>
        expected.Zip(actual).SelectMany(prompt => prompt.First.Zip(prompt.Second)).Max(row => row.First.Zip(row.Second).Max(pair => Math.Abs((double)pair.First - pair.Second)));

    private List<float[]>[] Logits(string folder)
    {
        using var golden = new GoldenCase(Name, _source);
        using var runner = ModelRunner.Load(new ModelRunnerOptions { Model = folder, Device = "cpu", BlockSize = 16, BlockCount = 64, KvCacheType = KvCacheType.Fp32 });
        var run = new GoldenRun(runner, golden) { Forced = true };
        run.Generate(chunk: 16, together: true);
        return run.Logits;
    }
}
