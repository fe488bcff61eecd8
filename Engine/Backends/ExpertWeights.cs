namespace Fastgen.Engine.Backends;

/// <summary>One expert: a gated feed-forward layer.</summary>
/// <param name="GateUp">[2 × intermediate, hidden] gate then up</param>
/// <param name="Down">[hidden, intermediate]</param>
internal sealed record ExpertWeights(LinearWeight GateUp, LinearWeight Down) : IDisposable
{
    /// <summary>Bytes that a token that goes to this expert reads.</summary>
    public long ByteCount => GateUp.ByteCount + Down.ByteCount;

    public void Dispose()
    {
        GateUp.Dispose();
        Down.Dispose();
    }
}
