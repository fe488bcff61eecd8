namespace Fastgen.Engine.Backends.Cpu;

/// <summary>What a unit of a <see cref="RoundedInput"/> is multiplied by and corrected with.</summary>
/// <param name="Scale">Value of one step.</param>
/// <param name="MinusSum">Minus the sum of the rounded numbers: what a weight's zero is multiplied by.</param>
/// <param name="MinusLowSum">Minus the sum of their low parts.</param>
internal readonly record struct UnitFactors(float Scale, float MinusSum, int MinusLowSum);
