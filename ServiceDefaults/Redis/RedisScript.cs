using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>A Lua script and the hash by which the server keeps it.</summary>
public sealed class RedisScript
{
    /// <summary>Creates a script.</summary>
    public RedisScript(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Text = text;
        Sha1 = Hash(text);
    }

    /// <summary>The Lua source.</summary>
    public string Text { get; }

    /// <summary>Its SHA-1, in lower-case hexadecimal digits.</summary>
    public string Sha1 { get; }

    [SuppressMessage("Security", "CA5350", Justification = "EVALSHA names scripts by SHA-1; nothing is secured by it.")]
    private static string Hash(string text) => Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(text)));
}
