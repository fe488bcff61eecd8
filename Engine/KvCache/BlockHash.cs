using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Fastgen.Engine.KvCache;

/// <summary>Names the content of a full block: its own tokens and, through the chain, all before it.</summary>
/// <remarks>The first 128 bits of SHA-256 over the hash of the block before (zero for the first) and the token ids,
/// little-endian. Cryptographic, because a collision would give one request the keys and values of another's prompt;
/// unkeyed, so that two processes name the same content alike.</remarks>
internal static class BlockHash
{
    /// <summary>Largest block, bounds the buffer on the stack.</summary>
    public const int MaxBlockSize = 256;

    public static UInt128 Next(UInt128 previous, ReadOnlySpan<int> tokens)
    {
        if (tokens.Length > MaxBlockSize)
        {
            throw new ArgumentException($"A block has {tokens.Length} tokens but at most {MaxBlockSize} can be hashed; choose a smaller block size.", nameof(tokens));
        }

        Span<byte> input = stackalloc byte[16 + (MaxBlockSize * sizeof(int))];
        BinaryPrimitives.WriteUInt128LittleEndian(input, previous);
        if (BitConverter.IsLittleEndian)
        {
            MemoryMarshal.AsBytes(tokens).CopyTo(input[16..]);
        }
        else
        {
            for (int i = 0; i < tokens.Length; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(input[(16 + (i * sizeof(int)))..], tokens[i]);
            }
        }

        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input[..(16 + (tokens.Length * sizeof(int)))], digest);
        return BinaryPrimitives.ReadUInt128LittleEndian(digest);
    }

    /// <summary>The hashes of all full blocks of a prompt.</summary>
    public static UInt128[] Chain(ReadOnlySpan<int> tokens, int blockSize)
    {
        var hashes = new UInt128[tokens.Length / blockSize];
        UInt128 previous = default;
        for (int i = 0; i < hashes.Length; i++)
        {
            previous = Next(previous, tokens.Slice(i * blockSize, blockSize));
            hashes[i] = previous;
        }

        return hashes;
    }
}
