using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Decode steps recorded as CUDA graphs, one per number of sequences rounded up to a bucket.</summary>
internal sealed unsafe class DecodeGraphs : IDisposable
{
    private const int RelaxedCapture = 2;

    private readonly CudaDevice _device;
    private readonly Dictionary<int, nint> _recorded = [];
    private readonly HashSet<int> _warm = [];

    public DecodeGraphs(CudaDevice device, int maxSequences)
    {
        _device = device;
        Buckets = MakeBuckets(maxSequences);
    }

    /// <summary>Ascending: 1, 2, 4, 8, then by 8 to 64, by 16 to 256, by 32, and the largest batch.</summary>
    public IReadOnlyList<int> Buckets { get; }

    /// <summary>The smallest bucket that holds so many sequences.</summary>
    public int Bucket(int sequences)
    {
        foreach (int bucket in Buckets)
        {
            if (bucket >= sequences)
            {
                return bucket;
            }
        }

        return sequences;
    }

    /// <summary>Replays a bucket's graph, recording it first where need be.</summary>
    /// <param name="forward">Queues the step's kernels for the bucket's number of rows.</param>
    /// <remarks>The first step of a bucket runs as it is: libraries load code then, which a recording does not allow.</remarks>
    public void Run(int bucket, Batch batch, Action<Batch> forward)
    {
        if (!_recorded.TryGetValue(bucket, out nint executable))
        {
            if (_warm.Add(bucket))
            {
                forward(batch);
                return;
            }

            executable = Record(batch, forward);
            _recorded[bucket] = executable;
        }

        Driver.GraphLaunch(executable, _device.Stream).Check();
    }

    public void Dispose()
    {
        foreach (nint executable in _recorded.Values)
        {
            Driver.GraphExecutableDestroy(executable);
        }

        _recorded.Clear();
    }

    private nint Record(Batch batch, Action<Batch> forward)
    {
        nint graph, executable;
        Driver.StreamBeginCapture(_device.Stream, RelaxedCapture).Check();
        try
        {
            forward(batch);
        }
        catch
        {
            Driver.StreamEndCapture(_device.Stream, &graph);
            throw;
        }

        Driver.StreamEndCapture(_device.Stream, &graph).Check();
        Driver.GraphInstantiate(&executable, graph, 0).Check();
        Driver.GraphDestroy(graph);
        return executable;
    }

    private static List<int> MakeBuckets(int maxSequences)
    {
        List<int> buckets = [];
        for (int size = 1; size < maxSequences; size += size < 8 ? size : size < 64 ? 8 : size < 256 ? 16 : 32)
        {
            buckets.Add(size);
        }

        buckets.Add(maxSequences);
        return buckets;
    }
}
