using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>Writes a small Llama with random fp32 weights into a folder.</summary>
internal static class TinyModel
{
    /// <param name="change">Sees every tensor before it is written: name and values; false leaves it out.</param>
    public static void Write(TemporaryFolder folder, string configChanges = "{}", Func<string, float[], bool>? change = null)
    {
        var text = ConfigText.With(configChanges);
        folder.Write("config.json", text);
        using var dummy = new DummyWeights(ElementType.Fp32);
        var tensors = new List<(string, int[], float[])>();
        foreach (var expected in WeightLoader.ExpectedTensors(ConfigText.Read(text)))
        {
            var values = Values(dummy.Read(expected));
            if (change?.Invoke(expected.Name, values) != false)
            {
                tensors.Add((expected.Name, expected.Rows == 1 ? [expected.Columns] : [expected.Rows, expected.Columns], values));
            }
        }

        folder.Write("model.safetensors", SafetensorsBytes.Floats([.. tensors]));
    }

    private static unsafe float[] Values(HostTensor tensor) => new ReadOnlySpan<float>((void*)tensor.Data, (int)tensor.ElementCount).ToArray();
}
