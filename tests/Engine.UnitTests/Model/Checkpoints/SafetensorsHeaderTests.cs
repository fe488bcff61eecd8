using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints;

public sealed class SafetensorsHeaderTests
{
    [Fact]
    public void Reads_names_types_shapes_and_places()
    {
        const string Header = """{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[3],"data_offsets":[24,30]},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"c":{"dtype":"I64","shape":[],"data_offsets":[30,38]},"none":{"dtype":"F32","shape":[0,7],"data_offsets":[38,38]}}""";
        var entries = Read(SafetensorsBytes.File(Header, 38)).ToDictionary(entry => entry.Name);
        Assert.Equal(4, entries.Count);
        Assert.True(entries["a"].Shape.Is(2, 3));
        Assert.True(entries["b"].Shape.Is(1, 3));
        Assert.Equal(8 + Header.Length, entries["a"].Offset);
        Assert.Equal(8 + Header.Length + 24, entries["b"].Offset);
        Assert.Equal(ElementType.Bf16, entries["b"].Shape.Type);
        Assert.Null(entries["c"].Shape.Type);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "'a' twice")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown dtype 'F31'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}""", 9, "needs 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "needs 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "cut off")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "8 to 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", 8, "-8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "-2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "2.5")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4,1],"data_offsets":[0,0]}}""", 8, "more than")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}}""", 8, "more than")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "9 dimensions")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}}""", 8, "9,223,372,036,854,775,807")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}""", 8, "99999999999999999999")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "'a' without")]
    [InlineData("""{"a":7}""", 8, "'a' without")]
    [InlineData("""[]""", 8, "not an object")]
    [InlineData("""{"a":""", 8, "not valid JSON")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1, "needs")]
    public void Hostile_headers_are_refused(string header, int dataBytes, string detail)
    {
        var exception = Assert.Throws<ModelLoadException>(() => Read(SafetensorsBytes.File(header, dataBytes)));
        Assert.Contains(detail, exception.Message, StringComparison.Ordinal);
        Assert.Contains("file.safetensors", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100_000_001, "100,000,001")]
    [InlineData(-1, "18,446,744,073,709,551,615")]
    [InlineData(50, "cut off")]
    public void Wrong_header_lengths_are_refused(long claimed, string detail) =>
        Assert.Contains(detail, Assert.Throws<ModelLoadException>(() => Read(SafetensorsBytes.File("{}", 0, claimed))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void Files_shorter_than_a_length_are_refused(int bytes) =>
        Assert.Contains("8 bytes", Assert.Throws<ModelLoadException>(() => Read(new byte[bytes])).Message, StringComparison.Ordinal);

    [Fact]
    public void Any_cut_of_a_good_file_is_refused()
    {
        var file = SafetensorsBytes.Floats(("a", [2, 2], [1, 2, 3, 4]), ("b", [3], [5, 6, 7]));
        Assert.Equal(2, Read(file).Count);
        for (var length = 0; length < file.Length; length++)
        {
            Assert.Throws<ModelLoadException>(() => Read(file[..length]));
        }
    }

    private static IReadOnlyList<SafetensorsEntry> Read(byte[] file) => SafetensorsHeader.Read(new MemoryStream(file), file.Length, "file.safetensors");
}
