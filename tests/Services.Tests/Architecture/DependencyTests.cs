using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Fastgen.Services.Tests.Architecture;

/// <summary>The rules of ARCHITECTURE.md about who may know whom, held against the sources themselves.</summary>
public sealed partial class DependencyTests
{
    [Fact]
    public void Contracts_references_nothing()
    {
        XDocument project = XDocument.Parse(SourceTree.Read("Contracts/Contracts.csproj"));
        Assert.DoesNotContain(project.Descendants(), element => element.Name.LocalName is "ProjectReference" or "PackageReference" or "FrameworkReference");
    }

    [Theory]
    [InlineData("Gateway")]
    [InlineData("Dashboard")]
    [InlineData("OpenAI")]
    public void Services_without_a_model_never_reach_the_engine(string project)
    {
        var reached = new HashSet<string>();
        Follow(project);
        Assert.DoesNotContain("Engine", reached);
        Assert.DoesNotContain("Serving", reached);

        void Follow(string name)
        {
            if (!reached.Add(name))
            {
                return;
            }

            foreach (XElement reference in XDocument.Parse(SourceTree.Read($"{name}/{name}.csproj")).Descendants("ProjectReference"))
            {
                Follow(Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));
            }
        }
    }

    [Theory]
    [InlineData("Engine/Scheduling")]
    [InlineData("Engine/KvCache")]
    [InlineData("Engine/Batching")]
    public void Planning_sees_integers_and_never_tensors(string folder)
    {
        // Every type that the backends declare is out of reach here, by whatever name it has.
        string[] backendTypes = [.. SourceTree.CSharpFiles("Engine/Backends").Select(file => Path.GetFileNameWithoutExtension(file).Split('.')[0]).Distinct()];
        Assert.Contains("IBackend", backendTypes);
        Assert.Contains("DeviceTensor", backendTypes);
        var forbidden = new Regex($@"\b({string.Join('|', backendTypes.Select(Regex.Escape))}|HostTensor|Tensor(Span|Primitives)?|Fastgen\.Engine\.(Backends|Model)\b.*)\b");
        Assert.Empty(Offences(folder, forbidden));
    }

    [Fact]
    public void Only_its_own_folder_and_the_factory_know_CUDA()
    {
        // Whoever uses a type of that folder names its namespace, and whoever calls a library names that. An option
        // that a caller sets, such as CudaGraphs, and documentation may say the word to people.
        IEnumerable<string> offences = Offences("Engine", CudaName())
            .Where(offence => !offence.StartsWith("Engine/Backends/Cuda/", StringComparison.Ordinal) && !offence.StartsWith("Engine/Backends/BackendFactory.cs", StringComparison.Ordinal));
        Assert.Empty(offences);
        Assert.Empty(((string[])["Contracts", "OpenAI", "Gateway", "Dashboard", "Serving", "InferenceWorker", "ServiceDefaults"]).SelectMany(folder => Offences(folder, CudaName())));
    }

    /// <summary>Lines of code, without comments and texts, that match.</summary>
    private static List<string> Offences(string folder, Regex forbidden)
    {
        string[] files = [.. SourceTree.CSharpFiles(folder)];
        Assert.NotEmpty(files);
        return [.. files.SelectMany(file => SourceTree.Read(file).Split('\n')
            .Select((line, index) => (Code: Texts().Replace(Comment().Replace(line, ""), "\"\""), Number: index + 1))
            .Where(line => forbidden.IsMatch(line.Code))
            .Select(line => $"{file}:{line.Number}: {line.Code.Trim()}"))];
    }

    [GeneratedRegex(@"\bCuda\.|\.Cuda\b|\b(Cublas|Nvrtc|Nccl|Cupti)\w*")]
    private static partial Regex CudaName();

    [GeneratedRegex("""^\s*(///|//|\*|/\*).*|(?<=[\s;{}(),])//.*""")]
    private static partial Regex Comment();

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex Texts();
}
