namespace Fastgen.Engine.Text;

/// <summary>What <see cref="StopStringFilter"/> lets through.</summary>
/// <param name="Text">What may be emitted, perhaps empty.</param>
/// <param name="Stopped">Whether a stop string has been reached, now or before.</param>
public readonly record struct StopStringResult(string Text, bool Stopped);
