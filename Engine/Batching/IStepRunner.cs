namespace Fastgen.Engine.Batching;

/// <summary>Runs steps on a device: forward pass and sampling. The one seam between scheduling (integers) and tensors.</summary>
internal interface IStepRunner : IDisposable
{
    /// <summary>Tokens per KV block.</summary>
    int BlockSize { get; }

    /// <summary>KV blocks that the device holds.</summary>
    int BlockCount { get; }

    int VocabularySize { get; }

    /// <summary>Steps that may be submitted before the oldest is collected: 1 where Submit computes, 2 on a GPU.</summary>
    int MaxStepsInFlight { get; }

    /// <summary>What the device has done since the start; nothing where it does not say.</summary>
    DeviceTimes Times => default;

    /// <summary>What is computed of a sequence holds for other lengths with the same number only: past some lengths the position
    /// embeddings of all its tokens change (rope types dynamic and longrope), and it is computed anew.</summary>
    /// <param name="length">Tokens of the whole sequence.</param>
    int Regime(int length) => 0;

    /// <summary>Starts a step. May return before the device is done; the batch, its arrays and its rows may be reused once it returns.</summary>
    /// <remarks>When it throws the step counts as never submitted: there is nothing to collect for it.</remarks>
    void Submit(Batch batch);

    /// <summary>Waits for the oldest submitted step.</summary>
    /// <remarks>When it throws that step is gone: the next call waits for the one after it.</remarks>
    StepOutput Collect();
}
