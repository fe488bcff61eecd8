namespace Fastgen.Engine.Batching;

/// <summary>How a device's time was spent, summed over the steps collected so far.</summary>
/// <param name="BusyMs">From a step's first kernel to its last.</param>
/// <param name="GapMs">From a step's last kernel to the next one's first, where the next was there already: what the host and its copies cost.</param>
internal readonly record struct DeviceTimes(double BusyMs, double GapMs);
