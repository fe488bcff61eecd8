using System.Buffers.Binary;
using System.Text.Json;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Reads and checks the header of a safetensors file: 8 bytes of length, then JSON, then the tensors' bytes.</summary>
/// <remarks>Format: https://github.com/huggingface/safetensors#format. Files may be hostile: nothing here is trusted before it is checked.</remarks>
internal static class SafetensorsHeader
{
    /// <summary>The reference implementation's limit.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    private const int MaxDimensions = 8;

    /// <param name="stream">The file from its start.</param>
    /// <param name="fileBytes">Its length.</param>
    /// <param name="source">Its path, for messages.</param>
    /// <exception cref="ModelLoadException">The header breaks a rule of the format.</exception>
    public static IReadOnlyList<SafetensorsEntry> Read(Stream stream, long fileBytes, string source)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (fileBytes < 8 || stream.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8)
        {
            throw Damaged(source, $"has {fileBytes} bytes, but a safetensors file starts with 8 bytes of header length");
        }

        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > MaxHeaderBytes)
        {
            throw Damaged(source, $"claims a header of {headerBytes:N0} bytes; the format allows {MaxHeaderBytes:N0}");
        }

        if ((long)headerBytes > fileBytes - 8)
        {
            throw Damaged(source, $"claims a header of {headerBytes:N0} bytes, but has {fileBytes - 8:N0} after the length: it is cut off");
        }

        var json = new byte[(int)headerBytes];
        if (stream.ReadAtLeast(json, json.Length, throwOnEndOfStream: false) < json.Length)
        {
            throw Damaged(source, "ended while its header was read: it is cut off");
        }

        var dataStart = 8 + (long)headerBytes;
        List<SafetensorsEntry> entries;
        try
        {
            entries = ReadEntries(json, dataStart, fileBytes - dataStart, source);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The JSON reader answers a string that is no text with InvalidOperationException.
            throw new ModelLoadException($"{source}: the header is not valid JSON ({exception.Message}); download the file again.", exception);
        }

        RejectOverlaps(entries, source);
        return entries;
    }

    private static List<SafetensorsEntry> ReadEntries(byte[] json, long dataStart, long dataBytes, string source)
    {
        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        using var document = JsonDocument.Parse(json);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw Damaged(source, $"has a JSON {document.RootElement.ValueKind} as header, not an object");
        }

        // EnumerateObject gives duplicates one by one, which a dictionary would hide.
        foreach (var property in document.RootElement.EnumerateObject())
        {
            if (!names.Add(property.Name))
            {
                throw Damaged(source, $"lists tensor '{property.Name}' twice");
            }

            if (property.Name != "__metadata__")
            {
                entries.Add(ReadEntry(property, dataStart, dataBytes, source));
            }
        }

        return entries;
    }

    private static SafetensorsEntry ReadEntry(JsonProperty property, long dataStart, long dataBytes, string source)
    {
        var name = property.Name;
        var value = property.Value;
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shape) || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
        {
            throw Damaged(source, $"describes tensor '{name}' without dtype, shape and two data_offsets");
        }

        var code = dtype.GetString()!;
        var elementBits = ElementBits(code)
            ?? throw Damaged(source, $"stores tensor '{name}' as unknown dtype '{code}'");
        if (shape.GetArrayLength() > MaxDimensions)
        {
            throw Damaged(source, $"gives tensor '{name}' {shape.GetArrayLength()} dimensions; the limit is {MaxDimensions}");
        }

        var dimensions = new long[shape.GetArrayLength()];
        Int128 bits = elementBits;
        for (var i = 0; i < dimensions.Length; i++)
        {
            dimensions[i] = NotNegative(shape[i], source, name, "dimension");
            bits *= dimensions[i];
            if (bits > (Int128)long.MaxValue * 8)
            {
                throw Damaged(source, $"gives tensor '{name}' a shape of more than {long.MaxValue:N0} bytes");
            }
        }

        var begin = NotNegative(offsets[0], source, name, "data offset");
        var end = NotNegative(offsets[1], source, name, "data offset");
        if (begin > end || end > dataBytes)
        {
            throw Damaged(source, $"puts tensor '{name}' at bytes {begin:N0} to {end:N0} of {dataBytes:N0}: it is cut off or damaged");
        }

        if (bits % 8 != 0 || end - begin != (long)(bits / 8))
        {
            throw Damaged(source, $"gives tensor '{name}' {end - begin:N0} bytes, but {code} [{string.Join(", ", dimensions)}] needs {(long)(bits / 8):N0}");
        }

        return new SafetensorsEntry(name, new TensorShape(code, dimensions), dataStart + begin, end - begin);
    }

    private static long NotNegative(JsonElement element, string source, string name, string what) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out var number) && number >= 0
            ? number
            : throw Damaged(source, $"gives tensor '{name}' the {what} {element.GetRawText()}, expected a whole number from 0");

    private static void RejectOverlaps(List<SafetensorsEntry> entries, string source)
    {
        entries.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.ByteCount.CompareTo(b.ByteCount));
        for (var i = 1; i < entries.Count; i++)
        {
            if (entries[i].Offset < entries[i - 1].Offset + entries[i - 1].ByteCount)
            {
                throw Damaged(source, $"lets tensors '{entries[i - 1].Name}' and '{entries[i].Name}' overlap at byte {entries[i].Offset:N0}");
            }
        }
    }

    private static int? ElementBits(string code) => code switch
    {
        "F64" or "I64" or "U64" or "C64" => 64,
        "F32" or "I32" or "U32" => 32,
        "F16" or "BF16" or "I16" or "U16" => 16,
        "F8_E4M3" or "F8_E5M2" or "F8_E8M0" or "I8" or "U8" or "BOOL" => 8,
        "F6_E2M3" or "F6_E3M2" => 6,
        "F4" => 4,
        _ => null,
    };

    private static ModelLoadException Damaged(string source, string problem) => new($"'{source}' {problem}; download the file again.");
}
