using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Fastgen.OpenAI.Requests;

/// <summary>Reads a request's JSON object, refusing everything that is not one.</summary>
internal static class RequestBody
{
    private const int FirstBufferBytes = 16 << 10;
    private const int MaxFields = 1024;

    /// <summary>Reads and parses the body; the caller disposes the document, whose memory is pooled.</summary>
    /// <exception cref="ApiException">400, 408, 413 or 415, each saying why.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpRequest request, OpenAiOptions options)
    {
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } sizeFeature)
        {
            // Our own limit speaks OpenAI's error format; the server's must not strike first, nor cut the connection of a client
            // that is still sending and has not read our answer.
            sizeFeature.MaxRequestBodySize = null;
        }

        CheckHeaders(request, options);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        try
        {
            int length = 0;
            while (true)
            {
                int read = await request.Body.ReadAsync(buffer.AsMemory(length), request.HttpContext.RequestAborted);
                if (read == 0)
                {
                    break;
                }

                length += read;
                if (length > options.MaxBodyBytes)
                {
                    throw TooLarge(options);
                }

                if (length == buffer.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(checked(length * 2));
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }

            return Parse(buffer.AsSpan(0, length), options.MaxJsonDepth);
        }
        catch (BadHttpRequestException e)
        {
            throw new ApiException(e.StatusCode, $"The request body could not be read: {e.Message}");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void CheckHeaders(HttpRequest request, OpenAiOptions options)
    {
        if (request.ContentLength > options.MaxBodyBytes)
        {
            throw TooLarge(options);
        }

        if (request.Headers.ContentEncoding.Count > 0)
        {
            throw new ApiException(415, $"Content-Encoding '{request.Headers.ContentEncoding}' is not supported; send the body uncompressed.");
        }

        if (string.IsNullOrEmpty(request.ContentType))
        {
            return;
        }

        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out MediaTypeHeaderValue? type)
            || !(type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
                || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase)))
        {
            throw new ApiException(415, $"Content-Type '{request.ContentType}' is not supported; send 'application/json'.");
        }

        if (type.Charset.HasValue && !type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            && !type.Charset.Equals("\"utf-8\"", StringComparison.OrdinalIgnoreCase))
        {
            throw new ApiException(415, $"Charset '{type.Charset}' is not supported; send UTF-8.");
        }
    }

    private static ApiException TooLarge(OpenAiOptions options) => new(
        413,
        string.Create(CultureInfo.InvariantCulture, $"The request body is larger than the {options.MaxBodyBytes:N0} bytes that the server allows; send less or raise MaxBodyBytes."),
        null,
        "request_too_large");

    private static JsonDocument Parse(ReadOnlySpan<byte> body, int maxDepth)
    {
        if (body.StartsWith("\uFEFF"u8))
        {
            body = body[3..];
        }

        CheckUtf8(body);
        JsonDocument document;
        try
        {
            if (JsonEscapes.FindHalfPair(body, maxDepth) is { } offset)
            {
                throw ApiException.Invalid(
                    $"The JSON string at offset {offset} has half of a surrogate pair (\\uD800 to \\uDFFF alone), which is no character; send the pair or leave it out.",
                    null);
            }

            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = maxDepth });
            document = JsonDocument.ParseValue(ref reader);
            RefuseTrailingText(ref reader);
        }
        catch (JsonException e)
        {
            throw NotJson(e);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.GetPropertyCount() <= MaxFields)
        {
            return document;
        }

        using (document)
        {
            JsonElement root = document.RootElement;
            throw root.ValueKind == JsonValueKind.Object
                ? ApiException.Invalid($"The request has {root.GetPropertyCount()} fields but the server allows {MaxFields}; send fewer.", null)
                : ApiException.Invalid($"The request body is a JSON {root.ValueKind.ToString().ToLowerInvariant()}; it must be an object.", null);
        }
    }

    private static void RefuseTrailingText(ref Utf8JsonReader reader)
    {
        // Throws JsonException with the position unless only white space is left.
        reader.Read();
    }

    private static void CheckUtf8(ReadOnlySpan<byte> body)
    {
        if (Utf8.IsValid(body))
        {
            return;
        }

        int position = 0;
        while (Rune.DecodeFromUtf8(body[position..], out _, out int consumed) == OperationStatus.Done)
        {
            position += consumed;
        }

        throw ApiException.Invalid($"The request body is not valid UTF-8: byte 0x{body[position]:X2} at offset {position}; send UTF-8.", null);
    }

    private static ApiException NotJson(JsonException e)
    {
        string reason = e.Message;
        int position = reason.IndexOf(" LineNumber:", StringComparison.Ordinal);
        if (position >= 0)
        {
            reason = reason[..position];
        }

        return ApiException.Invalid(
            $"The request body is not valid JSON: {reason} At line {e.LineNumber.GetValueOrDefault() + 1}, byte {e.BytePositionInLine.GetValueOrDefault() + 1}.",
            null);
    }
}
