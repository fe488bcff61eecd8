namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Several matrix products as one job, so that small ones keep all threads busy together.</summary>
/// <param name="shared">Whose scratch memory is used.</param>
internal sealed unsafe class LinearGroupJob(LinearJob shared) : KernelJob
{
    private readonly List<LinearJob> _jobs = [];

    /// <summary>[products] one past the last item of each</summary>
    private readonly List<int> _ends = [];

    public void Clear() => _ends.Clear();

    /// <summary>Adds output = input × weightᵀ + bias.</summary>
    public void Add(WorkerPool pool, float* input, nint inputStride, int rows, CpuLinearWeight weight, float* output, nint outputStride)
    {
        if (_ends.Count == _jobs.Count)
        {
            _jobs.Add(new LinearJob(shared));
        }

        var begin = _ends.Count == 0 ? 0 : _ends[^1];
        _ends.Add(begin + _jobs[_ends.Count].Prepare(pool, input, inputStride, rows, weight, output, outputStride));
    }

    public void Run(WorkerPool pool)
    {
        if (_ends.Count > 0)
        {
            pool.Run(this, _ends[^1]);
        }
    }

    public void DisposeBuffers() => _jobs.ForEach(job => job.DisposeBuffers());

    public override void Execute(int item, int worker)
    {
        // The first product that ends past the item.
        var (low, high) = (0, _ends.Count - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_ends[middle] > item)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        _jobs[low].Execute(item - (low == 0 ? 0 : _ends[low - 1]), worker);
    }
}
