namespace Fastgen.Engine.Sampling;

/// <summary>Buffers of one thread of a <see cref="HostSampler"/>; they grow to the vocabulary and stay.</summary>
internal sealed class SamplerScratch
{
    public const int BucketCount = 512;

    private float[] _logits = [];
    private float[] _weights = [];
    private double[] _chunkSums = [];
    private ulong[] _members = [];
    private int[] _counts = [];

    /// <summary>[BucketCount] tokens per bucket of logits, the highest logits first</summary>
    public int[] BucketCounts { get; } = new int[BucketCount];

    /// <summary>[BucketCount] their weights together</summary>
    public double[] BucketWeights { get; } = new double[BucketCount];

    /// <summary>[vocabulary]</summary>
    public Span<float> Logits(int vocabularySize) => Grown(ref _logits, vocabularySize);

    /// <summary>[vocabulary]</summary>
    public Span<float> Weights(int vocabularySize) => Grown(ref _weights, vocabularySize);

    /// <summary>[vocabulary / ChunkSize, rounded up]</summary>
    public Span<double> ChunkSums(int vocabularySize) =>
        Grown(ref _chunkSums, (vocabularySize + LogitsMath.ChunkSize - 1) / LogitsMath.ChunkSize);

    /// <summary>[count]</summary>
    public Span<ulong> Members(int count) => Grown(ref _members, count);

    /// <summary>[vocabulary] all zero; whoever counts in it sets it back</summary>
    public Span<int> Counts(int vocabularySize) => Grown(ref _counts, vocabularySize);

    private static Span<T> Grown<T>(ref T[] array, int length)
    {
        if (array.Length < length)
        {
            array = new T[length];
        }

        return array.AsSpan(0, length);
    }
}
