using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints;

public sealed class ModelFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_is_itself() => Assert.Equal(_folder.Root, ModelFolder.Find(_folder.Root));

    [Theory]
    [InlineData("HF_HUB_CACHE", "")]
    [InlineData("HF_HOME", "hub")]
    [InlineData("XDG_CACHE_HOME", "huggingface/hub")]
    public void A_repo_id_is_found_in_the_cache(string variable, string below)
    {
        AddSnapshot(below, "main", "abc123");
        var found = ModelFolder.Find("org/name", name => name == variable ? _folder.Root : null);
        Assert.Equal(Path.Combine(_folder.Root, below, "models--org--name", "snapshots", "abc123"), found);
    }

    [Fact]
    public void A_revision_can_be_a_name_or_a_commit()
    {
        AddSnapshot("", "v2", "def456");
        Assert.EndsWith("def456", Find("org/name@v2"), StringComparison.Ordinal);
        Assert.EndsWith("def456", Find("org/name@def456"), StringComparison.Ordinal);
        Assert.Throws<ModelLoadException>(() => Find("org/name"));
    }

    [Theory]
    [InlineData("org/name")]
    [InlineData("../../etc")]
    [InlineData("org/name@../../x")]
    [InlineData("a/b/c")]
    public void What_is_not_there_is_an_error_that_lists_the_places(string model)
    {
        var message = Assert.Throws<ModelLoadException>(() => Find(model)).Message;
        Assert.Contains($"'{model}'", message, StringComparison.Ordinal);
        Assert.Contains("Looked in: ", message, StringComparison.Ordinal);
        Assert.Equal(model == "org/name", message.Contains("models--org--name", StringComparison.Ordinal));
    }

    [Fact]
    public void No_name_is_an_error() => Assert.Throws<ModelLoadException>(() => Find(" "));

    private string Find(string model) => ModelFolder.Find(model, name => name == "HF_HUB_CACHE" ? _folder.Root : null);

    private void AddSnapshot(string below, string reference, string commit)
    {
        _folder.Write(Path.Combine(below, "models--org--name", "refs", reference), commit + "\n");
        _folder.Write(Path.Combine(below, "models--org--name", "snapshots", commit, "config.json"), "{}");
    }
}
