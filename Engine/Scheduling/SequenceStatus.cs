namespace Fastgen.Engine.Scheduling;

/// <summary>Where a sequence stands.</summary>
internal enum SequenceStatus
{
    /// <summary>In the waiting queue, without blocks: new, or preempted.</summary>
    Waiting,

    /// <summary>A further choice of a request whose prompt is not computed yet.</summary>
    AwaitingFork,

    /// <summary>Has a slot and blocks.</summary>
    Running,

    /// <summary>Nothing more is generated; blocks go back once no step in flight uses them.</summary>
    Ended,
}
