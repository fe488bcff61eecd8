using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A step on its way: the host memory that its results come to.</summary>
internal sealed unsafe class PendingStep : IDisposable
{
    public PendingStep(int maxRows, int mostAlternatives)
    {
        Results = new PinnedBuffer((long)maxRows * 3 * sizeof(int), "the results of a step");
        Alternatives = new PinnedBuffer((long)maxRows * mostAlternatives * 2 * sizeof(int), "the log-probabilities of a step");
        nint created;
        Driver.EventCreate(&created, 2).Check();
        Done = created;
    }

    public PinnedBuffer Results { get; }

    public PinnedBuffer Alternatives { get; }

    public PinnedBuffer? Lists { get; private set; }

    public long ListBytes => Lists?.Bytes ?? 0;

    public nint Done { get; }

    /// <summary>The step before was still in flight when this one was sent: a gap between them is the host's doing.</summary>
    public bool FollowsClosely { get; set; }

    public StepOutput Output { get; } = new();

    private bool[] WantsLogprobs { get; set; } = [];

    public void Begin(Batch batch, int vocabulary)
    {
        Output.Prepare(batch);
        int logits = batch.ReturnLogits ? batch.SampleRows.Count * vocabulary : 0;
        if (Output.Logits.Length != logits)
        {
            Output.Logits = logits == 0 ? [] : new float[logits];
        }

        if (WantsLogprobs.Length < Output.RowCount)
        {
            WantsLogprobs = new bool[Output.RowCount];
        }

        for (int i = 0; i < Output.RowCount; i++)
        {
            WantsLogprobs[i] = batch.SampleRows[i].Parameters.Logprobs is not null;
        }
    }

    public void Read(int maxRows, int mostAlternatives)
    {
        int rows = Output.RowCount, top = Output.TopCount;
        Results.Span<int>(0, rows).CopyTo(Output.TokenIds);
        Span<int> bad = Results.Span<int>((long)maxRows * sizeof(int), rows);
        Span<float> logprobs = Results.Span<float>((long)maxRows * 2 * sizeof(int), rows);
        for (int i = 0; i < rows; i++)
        {
            Output.NotFinite[i] = bad[i] != 0;
            Output.Logprobs[i] = WantsLogprobs[i] ? logprobs[i] : float.NaN;
        }

        Alternatives.Span<int>(0, rows * top).CopyTo(Output.TopIds);
        Alternatives.Span<float>((long)maxRows * mostAlternatives * sizeof(int), rows * top).CopyTo(Output.TopLogprobs);
    }

    public void GrowLists(long bytes, int place, long oldArea, long newArea)
    {
        PinnedBuffer grown = new(bytes, "the token lists of sampling");
        for (int i = 0; Lists is not null && i < place; i++)
        {
            Lists.Span<byte>(i * oldArea, (int)oldArea).CopyTo(grown.Span<byte>(i * newArea, (int)oldArea));
        }

        Lists?.Dispose();
        Lists = grown;
    }

    public void Dispose()
    {
        Results.Dispose();
        Alternatives.Dispose();
        Lists?.Dispose();
        Driver.EventDestroy(Done);
    }
}
