namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Device addresses that rotation and the KV write of a layer need, and the numbers of heads.</summary>
/// <param name="Keys">The layer's keys, [blocks, kvHeads, blockSize, headDim].</param>
/// <param name="Values">The layer's values.</param>
/// <param name="CosSin">[positions, headDim / 2] pairs of float32.</param>
/// <param name="Positions">[rows] of <paramref name="CosSin"/>.</param>
/// <param name="Slots">[rows] places in the cache.</param>
internal readonly record struct RotaryTarget(nint Keys, nint Values, nint CosSin, nint Positions, nint Slots, int Heads, int KeyValueHeads);
