using System.Runtime.InteropServices;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>A reference model with what it must give.</summary>
internal sealed unsafe class GoldenCase : IDisposable
{
    private readonly SafetensorsFile _golden;
    private readonly Dictionary<string, SafetensorsEntry> _entries;

    public GoldenCase(string name, string folder)
    {
        Name = name;
        Folder = folder;
        _golden = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        _entries = _golden.Entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
        var prompts = new List<int[]>();
        while (_entries.ContainsKey($"prompt.{prompts.Count}"))
        {
            prompts.Add(Read<int>($"prompt.{prompts.Count}"));
        }

        Prompts = prompts;
        Tokens = Read<int>("gen.tokens");
        Logprobs = Read<float>("gen.logprobs");
        GeneratedPerPrompt = Tokens.Length / prompts.Count;
        VocabularySize = (int)_entries["logits.0"].Shape.Dimensions[1];
    }

    public string Name { get; }

    public string Folder { get; }

    public IReadOnlyList<int[]> Prompts { get; }

    public int GeneratedPerPrompt { get; }

    public int VocabularySize { get; }

    /// <summary>[prompts, GeneratedPerPrompt]</summary>
    public int[] Tokens { get; }

    /// <summary>[prompts, GeneratedPerPrompt]</summary>
    public float[] Logprobs { get; }

    public bool Has(string key) => _entries.ContainsKey(key);

    public T[] Read<T>(string key)
        where T : unmanaged
    {
        var entry = _entries[key];
        Assert.Equal(typeof(T) == typeof(int) ? "I32" : "F32", entry.Shape.TypeCode);
        return MemoryMarshal.Cast<byte, T>(new ReadOnlySpan<byte>((void*)_golden.Address(entry), (int)entry.ByteCount)).ToArray();
    }

    public void Dispose() => _golden.Dispose();
}
