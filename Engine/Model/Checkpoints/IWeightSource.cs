using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Where a model's tensors come from.</summary>
internal interface IWeightSource : IDisposable
{
    /// <summary>Tensors stay at their address until the source is disposed of, so a backend may use them in place. Otherwise a tensor is valid until the next one is read.</summary>
    bool StaysMapped { get; }

    /// <summary>For messages: the folder.</summary>
    string Name { get; }

    /// <summary>Checks that all tensors are there in the right shape and in a type that can be used.</summary>
    /// <exception cref="ModelLoadException">Some are not; lists the first ten.</exception>
    void Check(IReadOnlyList<ExpectedTensor> expected);

    /// <summary>The contents of a tensor that <see cref="Check"/> has seen.</summary>
    HostTensor Read(ExpectedTensor tensor);

    /// <summary>The same where it is quantised; null where it is plain.</summary>
    QuantizedTensor? OpenQuantized(ExpectedTensor tensor) => null;
}
