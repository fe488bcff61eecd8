namespace Fastgen.Gateway;

/// <summary>What this gateway has done since its start.</summary>
internal sealed class GatewayCounters
{
    public long Submitted;
    public long Resubmitted;
    public long Cancelled;
    public long Refused;
    public long ReplyEntries;
    public long Events;
    public long RepeatedEvents;
}
