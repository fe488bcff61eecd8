using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Backends.Cuda;

/// <content>Latent attention.</content>
internal sealed unsafe partial class CudaBackend
{
    private CudaLatent? _latent;

    public void PrepareLatent(LatentWeights weights)
    {
        _device.MakeCurrent();
        // Heads are multiplied together, so nothing of them is to be timed.
        HashSet<CudaLinearWeight> heads = [.. weights.KeyProjections.Concat(weights.ValueProjections).Cast<CudaLinearWeight>()];
        _linears.RemoveAll(heads.Contains);
        _latent ??= new CudaLatent(_device, _compiler, _options.Config.Latent!.Layout, _fp16, _options.MaxStepTokens + _options.MaxSequences);
        _latent.Add(weights);
    }

    public void RopeAndStoreLatent(Batch batch, int layer, DeviceTensor query, DeviceTensor compressed, LatentWeights weights)
    {
        LaunchWaiting();
        _latent!.Store(_rows, layer, (CudaTensor)query, (CudaTensor)compressed, weights, _rotary!.CosSin(layer), _rotary.Rows(layer, _arena!), _arena!.Slots);
    }

    public void LatentAttention(Batch batch, int layer, DeviceTensor query, LatentWeights weights, float scale, DeviceTensor output)
    {
        LaunchWaiting();
        _lastWeight = null;
        _latent!.Attend(_arena!, _rows, layer, (CudaTensor)query, weights, scale, (CudaTensor)output);
    }
}
