using System.Security.Cryptography;

namespace Fastgen.Dashboard.Pages;

/// <summary>A file of the page that never changes while the process runs; it is embedded in the assembly.</summary>
internal sealed record StaticAsset(string Name, string ContentType, byte[] Content, string Version)
{
    public static IReadOnlyDictionary<string, StaticAsset> All { get; } = new[]
    {
        Load("dashboard.css", "text/css; charset=utf-8"),
        Load("dashboard.js", "text/javascript; charset=utf-8"),
        Load("favicon.svg", "image/svg+xml"),
    }.ToDictionary(asset => asset.Name);

    /// <summary>Names the content too, so that a browser may keep it for ever.</summary>
    public string VersionedPath => $"/assets/{Name}?v={Version}";

    private static StaticAsset Load(string name, string contentType)
    {
        using Stream stream = typeof(StaticAsset).Assembly.GetManifestResourceStream(name)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return new StaticAsset(name, contentType, content, Convert.ToHexStringLower(SHA256.HashData(content))[..16]);
    }
}
