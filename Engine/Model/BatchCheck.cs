using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Model;

/// <summary>Checks a batch against the runner's sizes before it reaches native memory, where a wrong index would corrupt instead of throw.</summary>
internal static class BatchCheck
{
    /// <exception cref="ArgumentException">An index of the batch points outside.</exception>
    public static void Validate(Batch batch, int maxTokens, int vocabularySize, int blockCount, int blockSize)
    {
        Require(batch.TokenCount, 0, maxTokens + 1, "TokenCount");
        for (var token = 0; token < batch.TokenCount; token++)
        {
            Require(batch.TokenIds[token], 0, vocabularySize, "token id");
            Require(batch.SlotMapping[token], 0, blockCount * blockSize, "KV slot");
        }

        Require(batch.QueryStarts[batch.SequenceCount], batch.TokenCount, batch.TokenCount + 1, "last query start");
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            var start = batch.QueryStarts[sequence];
            Require(batch.QueryStarts[sequence + 1], start + 1, batch.TokenCount + 1, "query start");

            // Attention goes by the positions of the sequence's first token and its token count.
            var length = batch.Positions[start] + batch.QueryStarts[sequence + 1] - start;
            var blocks = (length + blockSize - 1) / blockSize;
            Require(blocks, 1, batch.MaxBlocksPerSequence + 1, "blocks of a sequence");
            foreach (var block in batch.BlockTables.AsSpan(sequence * batch.MaxBlocksPerSequence, blocks))
            {
                Require(block, 0, blockCount, "block id");
            }
        }

        foreach (var (source, destination) in batch.BlockCopies)
        {
            Require(source, 0, blockCount, "block to copy");
            Require(destination, 0, blockCount, "block to copy to");
        }

        foreach (var row in batch.SampleRows)
        {
            Require(row.TokenIndex, 0, batch.TokenCount, "sample row's token");
        }
    }

    private static void Require(int value, int min, int end, string what)
    {
        if (value < min || value >= end)
        {
            throw new ArgumentException($"The step's {what} is {value}, expected {min} to {end - 1}; the batch does not fit the model it is run on.", nameof(value));
        }
    }
}
