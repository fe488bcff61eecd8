namespace Fastgen.InferenceWorker;

/// <summary>How far this worker is.</summary>
internal sealed class WorkerState
{
    private volatile LoadedModel? _model;
    private volatile bool _isPulling;
    private volatile bool _isDraining;

    /// <summary>Null while it is being loaded.</summary>
    public LoadedModel? Model
    {
        get => _model;
        set => _model = value;
    }

    /// <summary>It asks Redis for requests when it has room.</summary>
    public bool IsPulling
    {
        get => _isPulling;
        set => _isPulling = value;
    }

    /// <summary>It has been told to stop.</summary>
    public bool IsDraining
    {
        get => _isDraining;
        set => _isDraining = value;
    }
}
