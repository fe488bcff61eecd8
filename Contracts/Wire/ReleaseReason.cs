namespace Fastgen.Contracts.Wire;

/// <summary>Why a request goes back to its gateway, which submits it anew with what the caller has.</summary>
public enum ReleaseReason
{
    /// <summary>Its worker stops in good order.</summary>
    HandedBack,

    /// <summary>Its worker has died or failed; perhaps of this very request.</summary>
    WorkerLost,
}
