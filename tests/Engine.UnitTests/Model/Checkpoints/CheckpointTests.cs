using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints;

public sealed unsafe class CheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void One_file_is_read()
    {
        _folder.Write("model.safetensors", SafetensorsBytes.Floats(("a", [2, 2], [1, 2, 3, 4])));
        using var checkpoint = Checkpoint.Open(_folder.Root);
        var expected = new ExpectedTensor("a", 2, 2);
        checkpoint.Check([expected]);
        var tensor = checkpoint.Read(expected);
        Assert.Equal([1, 2, 3, 4], new ReadOnlySpan<float>((void*)tensor.Data, 4).ToArray());
    }

    [Fact]
    public void Several_files_are_read_by_their_index()
    {
        _folder.Write("x-1.safetensors", SafetensorsBytes.Floats(("a", [2], [1, 2])));
        _folder.Write("x-2.safetensors", SafetensorsBytes.Floats(("b", [2], [3, 4])));
        _folder.Write("model.safetensors.index.json", """{"weight_map":{"a":"x-1.safetensors","b":"x-2.safetensors"}}""");
        using var checkpoint = Checkpoint.Open(_folder.Root);
        checkpoint.Check([new ExpectedTensor("a", 1, 2), new ExpectedTensor("b", 1, 2)]);
        Assert.Equal(4, ((float*)checkpoint.Read(new ExpectedTensor("b", 1, 2)).Data)[1]);
    }

    [Fact]
    public void All_problems_are_listed_at_once_up_to_ten()
    {
        _folder.Write("model.safetensors", SafetensorsBytes.Floats(("wrong", [2, 3], new float[6])));
        using var checkpoint = Checkpoint.Open(_folder.Root);
        var expected = Enumerable.Range(0, 12).Select(i => new ExpectedTensor($"missing{i}", 4, 5)).Prepend(new ExpectedTensor("wrong", 3, 2)).ToList();
        var message = Assert.Throws<ModelLoadException>(() => checkpoint.Check(expected)).Message;
        Assert.Contains("13 of 13", message, StringComparison.Ordinal);
        Assert.Contains("'wrong' in 'model.safetensors' is F32 [2, 3], expected [3, 2]", message, StringComparison.Ordinal);
        Assert.Contains("'missing8' [4, 5] is missing", message, StringComparison.Ordinal);
        Assert.DoesNotContain("missing9", message, StringComparison.Ordinal);
        Assert.Contains("and 3 more", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Types_that_are_not_floats_are_refused()
    {
        _folder.Write("model.safetensors", SafetensorsBytes.File("""{"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}""", 8));
        using var checkpoint = Checkpoint.Open(_folder.Root);
        Assert.Contains("supported: F32, F16, BF16", Assert.Throws<ModelLoadException>(() => checkpoint.Check([new ExpectedTensor("a", 1, 2)])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../outside.safetensors"}}""", "../outside.safetensors")]
    [InlineData("""{"weight_map":{"a":"/etc/passwd"}}""", "/etc/passwd")]
    [InlineData("""{"weight_map":{"a":".."}}""", "'..'")]
    [InlineData("""{"weight_map":{"a":7}}""", "'7'")]
    [InlineData("""{"weight_map":[]}""", "weight_map")]
    [InlineData("""{"weight_map":""", "not valid JSON")]
    [InlineData("""{"weight_map":{"a":"gone-1.safetensors","b":"gone-2.safetensors"}}""", "lacks 2 of the 2 files")]
    public void Bad_indexes_are_refused(string index, string detail)
    {
        _folder.Write("model.safetensors.index.json", index);
        Assert.Contains(detail, Assert.Throws<ModelLoadException>(() => Checkpoint.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_in_two_files_is_refused()
    {
        _folder.Write("x-1.safetensors", SafetensorsBytes.Floats(("a", [1], [1])));
        _folder.Write("x-2.safetensors", SafetensorsBytes.Floats(("a", [1], [2])));
        _folder.Write("model.safetensors.index.json", """{"weight_map":{"a":"x-1.safetensors","b":"x-2.safetensors"}}""");
        Assert.Contains("'a' is in both", Assert.Throws<ModelLoadException>(() => Checkpoint.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_safetensors_is_refused()
    {
        _folder.Write("pytorch_model.bin", "x");
        Assert.Contains("1 file(s) in other formats", Assert.Throws<ModelLoadException>(() => Checkpoint.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }
}
