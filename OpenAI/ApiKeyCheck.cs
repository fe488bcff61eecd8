using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Fastgen.OpenAI;

/// <summary>Asks callers for the key of <see cref="OpenAiOptions.ApiKey"/>, and refuses them as OpenAI does.</summary>
/// <remarks>OpenAI's error has no code where no key was sent, and <c>invalid_api_key</c> where a wrong one was.</remarks>
public sealed class ApiKeyCheck
{
    private const string BearerPrefix = "Bearer ";

    private readonly byte[]? _keyHash;

    /// <param name="options">Without a key everybody is admitted.</param>
    public ApiKeyCheck(OpenAiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _keyHash = options.ApiKey is { } key ? SHA256.HashData(Encoding.UTF8.GetBytes(key)) : null;
    }

    /// <summary>Looks at the key of a request that the API itself does not serve.</summary>
    /// <returns>False when the key is missing or wrong; the response is then written.</returns>
    public async Task<bool> AdmitsAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            Check(context.Request);
            return true;
        }
        catch (ApiException refusal)
        {
            await ErrorBody.WriteAsync(context.Response, refusal);
            return false;
        }
    }

    /// <exception cref="ApiException">401: the key is missing or wrong.</exception>
    internal void Check(HttpRequest request)
    {
        if (_keyHash is null)
        {
            return;
        }

        string header = request.Headers.Authorization.ToString();
        if (!header.StartsWith(BearerPrefix, StringComparison.OrdinalIgnoreCase))
        {
            throw new ApiException(401, "You didn't provide an API key; send it as the header 'Authorization: Bearer KEY'.");
        }

        // Hashes have one length, so that the time of the comparison tells nothing about the key.
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(header[BearerPrefix.Length..].Trim()));
        if (!CryptographicOperations.FixedTimeEquals(hash, _keyHash))
        {
            throw new ApiException(401, "Incorrect API key provided; send the key that the server was started with.", null, "invalid_api_key");
        }
    }
}
