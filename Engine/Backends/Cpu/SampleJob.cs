using Fastgen.Engine.Batching;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Chooses tokens; an item is a sample row.</summary>
internal sealed unsafe class SampleJob : KernelJob, IDisposable
{
    private readonly HostSampler _sampler = new();
    private Batch _batch = null!;
    private CpuTensor _logits = null!;
    private StepOutput _output = null!;

    /// <param name="logits">[rows, vocabulary]</param>
    /// <param name="output">Prepared for the batch.</param>
    public void Run(WorkerPool pool, Batch batch, CpuTensor logits, StepOutput output)
    {
        _batch = batch;
        _logits = logits;
        _output = output;
        pool.Run(this, batch.SampleRows.Count);
    }

    public override void Execute(int item, int worker) =>
        _sampler.Sample(_batch.SampleRows[item], new Span<float>(_logits.Row(item), _logits.Columns), item, _output);

    public void Dispose() => _sampler.Dispose();
}
