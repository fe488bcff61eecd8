namespace Fastgen.Engine.Sampling;

/// <summary>The counter-based generator behind every random choice: Philox4x32-10.</summary>
/// <remarks>Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Without state: what it gives depends on the
/// sequence's seed and the output position alone, so a token's choice does not depend on what else is in the batch, and a
/// device can compute the same. Key = (seed low, seed high); counter = (position, 0, 0, 0).</remarks>
internal static class PhiloxGenerator
{
    private const uint Multiplier0 = 0xD2511F53;
    private const uint Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9;
    private const uint Weyl1 = 0xBB67AE85;

    /// <summary>The number in (0, 1) that chooses the token at an output position.</summary>
    /// <remarks>The first two words w0, w1 give ((w0 · 2³² + w1) div 2¹² + ½) · 2⁻⁵².</remarks>
    public static double Uniform(ulong seed, int outputPosition)
    {
        (uint w0, uint w1, _, _) = Words((uint)outputPosition, 0, 0, 0, (uint)seed, (uint)(seed >> 32));
        ulong bits = ((ulong)w0 << 32) | w1;
        return ((bits >> 12) + 0.5) * (1.0 / (1UL << 52));
    }

    public static (uint W0, uint W1, uint W2, uint W3) Words(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(product1 >> 32) ^ c1 ^ k0, (uint)product1, (uint)(product0 >> 32) ^ c3 ^ k1, (uint)product0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }
}
