namespace Fastgen.Engine.Scheduling;

/// <summary>Who goes first: lower priority number, then earlier arrival, then lower choice.</summary>
internal sealed class SequenceOrder : IComparer<Sequence>
{
    public static readonly SequenceOrder Instance = new();

    public int Compare(Sequence? x, Sequence? y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        int byPriority = x.Request.Priority.CompareTo(y.Request.Priority);
        if (byPriority != 0)
        {
            return byPriority;
        }

        int byArrival = x.Request.Number.CompareTo(y.Request.Number);
        return byArrival != 0 ? byArrival : x.Choice.CompareTo(y.Choice);
    }
}
