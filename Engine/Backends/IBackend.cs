using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Backends;

/// <summary>A device: coarse operations over its own tensors.</summary>
/// <remarks>Operations take device tensors and the batch and return nothing, so a device may queue them, or record them once and
/// replay them: between <see cref="RunStep"/> and <see cref="Collect"/> the host reads no result. Rows of activations are the batch's
/// tokens, in its order; after <see cref="KeepSampleRows"/> or <see cref="Logits"/> they are its sample rows.</remarks>
internal interface IBackend : IDisposable
{
    /// <summary>Short name for people: the device and its instruction set.</summary>
    string Name { get; }

    /// <summary>As <see cref="IStepRunner.MaxStepsInFlight"/>.</summary>
    int MaxStepsInFlight { get; }

    /// <summary>As <see cref="IStepRunner.Times"/>.</summary>
    DeviceTimes Times => default;

    /// <summary>Bytes that a KV block takes over all layers.</summary>
    long KvBlockBytes(KvCacheLayout layout);

    /// <summary>Bytes that may still be taken.</summary>
    long FreeBytes { get; }

    /// <summary>Free and total bytes of a device with memory of its own, as its driver counts them; null where there is none.</summary>
    (long Free, long Total)? DeviceMemory => null;

    /// <summary>Bytes that the KV cache takes where nothing else is said.</summary>
    long DefaultKvCacheBytes { get; }

    /// <summary>Whether weights of this size are better used in place than copied.</summary>
    bool PrefersMapped(long weightBytes);

    /// <summary>A matrix of one or more parts stacked along the outputs.</summary>
    /// <param name="name">For messages and profiles.</param>
    /// <param name="reader">Gives the parts' contents one by one; where it allows, they may be used in place.</param>
    /// <param name="norm">Weight of a norm whose output this matrix alone reads; a device may multiply it into the matrix and take it for ones from then on.</param>
    LinearWeight LoadLinear(string name, IReadOnlyList<LinearPart> parts, WeightReader reader, DeviceTensor? norm = null);

    /// <summary>A table [rows, columns] for <see cref="Embed"/>.</summary>
    /// <param name="mayReference">The table stays at its address for the life of the tensor.</param>
    DeviceTensor LoadTable(HostTensor table, bool mayReference);

    /// <summary>The same table as an output matrix (tied embeddings); the matrix must outlive it.</summary>
    DeviceTensor ShareTable(LinearWeight matrix);

    /// <summary>A vector [1, columns], such as the weight of a norm.</summary>
    /// <param name="offset">Added to every element: Gemma stores norm weights less one.</param>
    DeviceTensor LoadVector(HostTensor vector, float offset);

    /// <summary>Room for activations [rows, columns].</summary>
    DeviceTensor Allocate(int rows, int columns);

    /// <param name="rotary">[layers]; layers may share one.</param>
    void AllocateKvCache(KvCacheLayout layout, IReadOnlyList<RotaryFrequencies> rotary);

    /// <summary>Takes over the batch's arrays, copies blocks, feeds back sampled tokens, then runs <paramref name="forward"/> or replays what it recorded of it.</summary>
    void RunStep(Batch batch, Action<Batch> forward);

    /// <summary>hidden[t] = table[TokenIds[t]] × scale.</summary>
    void Embed(Batch batch, DeviceTensor table, float scale, DeviceTensor hidden);

    /// <summary>output = hidden / rms(hidden) × weight, per row; the output may be the input.</summary>
    void RmsNorm(Batch batch, DeviceTensor hidden, DeviceTensor weight, float epsilon, DeviceTensor output);

    /// <summary>hidden += delta; output = hidden / rms(hidden) × weight, per row.</summary>
    void AddRmsNorm(Batch batch, DeviceTensor hidden, DeviceTensor delta, DeviceTensor weight, float epsilon, DeviceTensor output);

    /// <summary>output = input × weightᵀ + bias.</summary>
    void Linear(Batch batch, DeviceTensor input, LinearWeight weight, DeviceTensor output);

    /// <summary>Norms query and key heads where asked, turns them by their positions (queries in place), and stores keys and values at SlotMapping.</summary>
    /// <param name="qkv">[tokens, <see cref="AttentionLayout.QkvColumns"/>]</param>
    void RopeAndStoreKv(Batch batch, int layer, DeviceTensor qkv, HeadNorms? norms);

    /// <summary>Causal attention of the batch's tokens to their sequences' KV blocks.</summary>
    /// <param name="qkv">[tokens, <see cref="AttentionLayout.QkvColumns"/>]; the queries are read.</param>
    /// <param name="output">[tokens, heads × headDim]</param>
    void PagedAttention(Batch batch, int layer, DeviceTensor qkv, AttentionSettings settings, DeviceTensor output);

    /// <summary>The same as <see cref="PrepareMoe"/> of each layer's projections.</summary>
    void PrepareLatent(LatentWeights weights)
    {
    }

    /// <summary>Latent attention's counterpart of <see cref="RopeAndStoreKv"/>: norms the compressed vectors, turns the position parts of
    /// queries (in place) and keys, and stores at SlotMapping.</summary>
    /// <param name="query">[tokens, heads × <see cref="LatentLayout.QueryDim"/>], each head's content then position part.</param>
    /// <param name="compressed">[tokens, <see cref="LatentLayout.CachedDim"/>], latent then position part of the key.</param>
    void RopeAndStoreLatent(Batch batch, int layer, DeviceTensor query, DeviceTensor compressed, LatentWeights weights);

    /// <summary>Causal attention of the batch's tokens to their sequences' compressed vectors.</summary>
    /// <param name="query">As <see cref="RopeAndStoreLatent"/> left it.</param>
    /// <param name="scale">Factor on the products of queries and keys.</param>
    /// <param name="output">[tokens, heads × <see cref="LatentLayout.ValueDim"/>]</param>
    void LatentAttention(Batch batch, int layer, DeviceTensor query, LatentWeights weights, float scale, DeviceTensor output);

    /// <summary>output = activation(gate) × up, where a row of <paramref name="gateUp"/> is gate then up.</summary>
    void GatedActivation(Batch batch, DeviceTensor gateUp, Activation activation, DeviceTensor output);

    /// <summary>Told of each layer's experts before the KV cache is made: a device may want room for their results, and need not time their products.</summary>
    void PrepareMoe(MoeWeights weights)
    {
    }

    /// <summary>output = Σ weight × expert(input) over the experts that the router chooses for each token, + shared expert(input).</summary>
    /// <param name="input">[tokens, hidden]</param>
    /// <param name="output">[tokens, hidden]</param>
    void MoE(Batch batch, DeviceTensor input, MoeWeights weights, DeviceTensor output);

    /// <summary>target[r] = source[SampleRows[r].TokenIndex] for each pair, and from here to the end of the step rows are the batch's sample rows; there is at least one.
    /// Nothing else that was computed of the step is read again.</summary>
    void KeepSampleRows(Batch batch, params ReadOnlySpan<(DeviceTensor Source, DeviceTensor Target)> tensors);

    /// <summary>logits[r] = hidden[SampleRows[r].TokenIndex] × weightᵀ, or hidden[r] × weightᵀ after <see cref="KeepSampleRows"/>.</summary>
    /// <param name="softCap">Logits x become cap × tanh(x / cap); null leaves them.</param>
    void Logits(Batch batch, DeviceTensor hidden, LinearWeight weight, float? softCap);

    /// <summary>Chooses a token per sample row from the logits of this step.</summary>
    void Sample(Batch batch);

    /// <summary>Waits for the oldest step that was run and gives its results.</summary>
    StepOutput Collect();

    /// <summary>Waits for what is queued and copies the first rows to the host (tests, debugging).</summary>
    float[] ReadBack(DeviceTensor tensor, int rows);
}
