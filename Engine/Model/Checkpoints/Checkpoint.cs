using System.Text.Json;
using Fastgen.Engine.Model.Architectures;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>All tensors of a model folder: one model.safetensors, or the files of model.safetensors.index.json.</summary>
internal sealed class Checkpoint : IWeightSource
{
    public const string SingleFile = "model.safetensors";

    public const string IndexFile = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);

    private readonly QuantizationFormat? _quantization;

    /// <summary>Null where the tensors have the names that the architecture gives them.</summary>
    private TensorNames? _names;

    private Checkpoint(string folder, QuantizationFormat? quantization)
    {
        Name = folder;
        _quantization = quantization;
    }

    /// <summary>The folder.</summary>
    public string Name { get; }

    public bool StaysMapped => true;

    /// <param name="quantization">How matrices are quantised; null where they are plain.</param>
    /// <param name="wrapper">The multimodal class that the tensors are named for; null where there is none.</param>
    /// <exception cref="ModelLoadException">Files are missing or damaged, or two files hold a tensor of one name.</exception>
    public static Checkpoint Open(string folder, QuantizationFormat? quantization = null, WrapperArchitecture? wrapper = null)
    {
        var checkpoint = new Checkpoint(folder, quantization);
        try
        {
            foreach (var path in FindFiles(folder))
            {
                checkpoint.Add(SafetensorsFile.Open(path));
            }

            checkpoint._names = wrapper is null ? null : TensorNames.Find(checkpoint._tensors.Keys);
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>A config that says of its output matrix what the checkpoint holds.</summary>
    /// <remarks>As in transformers 5: a matrix of its own is used even where the file calls it tied to the embeddings. One of the same bytes is left where it is.</remarks>
    /// <param name="compare">Reads both matrices to see whether they are the same; else they count as two.</param>
    public ModelConfig Settle(ModelConfig config, bool compare = true)
    {
        var weights = config.Architecture.Weights;
        var module = Stored(weights.OutputHead)[..^"weight".Length];
        return config with
        {
            TieWordEmbeddings = _tensors.Keys.Any(name => name.StartsWith(module, StringComparison.Ordinal))
                ? config.TieWordEmbeddings && compare && AreEqual(weights.OutputHead, weights.Embedding)
                : config.TieWordEmbeddings || config.Wrapper is { TiesByDefault: true },
        };
    }

    /// <summary>Bytes of the language model's tensors as they are stored.</summary>
    public long TextBytes => _tensors.Values.Sum(tensor => _names?.IsText(tensor.Entry.Name) == false ? 0 : tensor.Entry.ByteCount);

    /// <summary>Names of tensors that belong to no language model: what else a multimodal one has.</summary>
    public IEnumerable<string> Ignored() => _names is null ? [] : _tensors.Keys.Where(name => !_names.IsText(name));

    public void Check(IReadOnlyList<ExpectedTensor> expected)
    {
        var problems = new List<string>();
        foreach (var plain in expected)
        {
            var tensor = Stored(plain);
            var known = problems.Count;
            if (_quantization?.Open(tensor, Find, problems) is not null || problems.Count > known)
            {
                continue;
            }

            if (!_tensors.TryGetValue(tensor.Name, out var found))
            {
                problems.Add($"'{tensor.Name}' {tensor.Shape} is missing");
            }
            else if (!found.Entry.Shape.Is(tensor))
            {
                problems.Add($"'{tensor.Name}' in '{Path.GetFileName(found.File.Path)}' is {found.Entry.Shape}, expected {tensor.Shape}");
            }
            else if (found.Entry.Shape.Type is null)
            {
                problems.Add($"'{tensor.Name}' in '{Path.GetFileName(found.File.Path)}' is {found.Entry.Shape}, supported: F32, F16, BF16");
            }
        }

        if (problems.Count > 0)
        {
            const int Listed = 10;
            throw new ModelLoadException($"'{Name}': {problems.Count} of {expected.Count} tensors do not fit config.json: {string.Join("; ", problems.Take(Listed))}"
                + $"{(problems.Count > Listed ? $"; and {problems.Count - Listed} more" : "")}. Check that config.json and the safetensors files belong to the same model and that all files are downloaded.");
        }
    }

    public HostTensor Read(ExpectedTensor tensor)
    {
        var (file, entry) = _tensors[Stored(tensor.Name)];
        return new HostTensor(tensor.Name, entry.Shape.Type!.Value, tensor.Rows, tensor.Columns, file.Address(entry));
    }

    public QuantizedTensor? OpenQuantized(ExpectedTensor tensor) => _quantization?.Open(Stored(tensor), Find, []);

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }

    private string Stored(string name) => _names?.Stored(name) ?? name;

    private ExpectedTensor Stored(ExpectedTensor tensor) => _names is null ? tensor : tensor with { Name = Stored(tensor.Name) };

    private unsafe bool AreEqual(string first, string second)
    {
        if (Find(Stored(first)) is not { } a || Find(Stored(second)) is not { } b || a.Shape.TypeCode != b.Shape.TypeCode || !a.Shape.Dimensions.SequenceEqual(b.Shape.Dimensions))
        {
            return false;
        }

        // A span holds no more than 2 GB.
        const int PieceBytes = 1 << 30;
        var bytes = _tensors[a.Name].Entry.ByteCount;
        for (var start = 0L; start < bytes; start += PieceBytes)
        {
            var count = (int)Math.Min(PieceBytes, bytes - start);
            if (!new ReadOnlySpan<byte>((byte*)a.Data + start, count).SequenceEqual(new ReadOnlySpan<byte>((byte*)b.Data + start, count)))
            {
                return false;
            }
        }

        return true;
    }

    private StoredTensor? Find(string name) =>
        _tensors.TryGetValue(name, out var found) ? new StoredTensor(name, found.Entry.Shape, found.File.Address(found.Entry)) : null;

    private void Add(SafetensorsFile file)
    {
        _files.Add(file);
        foreach (var entry in file.Entries)
        {
            if (!_tensors.TryAdd(entry.Name, (file, entry)))
            {
                throw new ModelLoadException($"Tensor '{entry.Name}' is in both '{_tensors[entry.Name].File.Path}' and '{file.Path}'; remove the file that does not belong to this model.");
            }
        }
    }

    /// <summary>Paths of the folder's weight files.</summary>
    /// <exception cref="ModelLoadException">There are none, or some are missing.</exception>
    public static IReadOnlyList<string> FindFiles(string folder)
    {
        var index = Path.Combine(folder, IndexFile);
        if (File.Exists(index))
        {
            return ReadIndex(folder, index);
        }

        var single = Path.Combine(folder, SingleFile);
        if (File.Exists(single))
        {
            return [single];
        }

        var others = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.bin").Length + Directory.GetFiles(folder, "*.gguf").Length : 0;
        throw new ModelLoadException($"'{folder}' holds neither {SingleFile} nor {IndexFile}"
            + (others > 0 ? $" ({others} file(s) in other formats: .bin and .gguf are not read)" : "")
            + "; download the model in safetensors format.");
    }

    private static IReadOnlyList<string> ReadIndex(string folder, string index)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(index));
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            {
                throw new ModelLoadException($"'{index}' has no object 'weight_map'; download the file again.");
            }

            foreach (var entry in map.EnumerateObject())
            {
                var name = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : entry.Value.GetRawText();

                // A name with a folder part could reach outside the model's folder.
                if (entry.Value.ValueKind != JsonValueKind.String || name.Length == 0 || Path.GetFileName(name) != name || name is "." or ".." || name.Contains('\\', StringComparison.Ordinal))
                {
                    throw new ModelLoadException($"'{index}' puts tensor '{entry.Name}' in '{name}', which is not the name of a file beside it; download the file again.");
                }

                names.Add(name);
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ModelLoadException($"'{index}' is not valid JSON ({exception.Message}); download the file again.", exception);
        }

        var missing = names.Where(name => !File.Exists(Path.Combine(folder, name))).ToList();
        if (missing.Count > 0)
        {
            throw new ModelLoadException($"'{folder}' lacks {missing.Count} of the {names.Count} files that {IndexFile} names ({string.Join(", ", missing.Take(10))}{(missing.Count > 10 ? ", …" : "")}); finish the download.");
        }

        return [.. names.Select(name => Path.Combine(folder, name))];
    }
}
