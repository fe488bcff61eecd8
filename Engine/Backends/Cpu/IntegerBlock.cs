namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A run of units of inputs of two vectors of outputs, where they lie in tiles of <see cref="QuantizedWeights"/>.</summary>
internal unsafe ref struct IntegerBlock
{
    /// <summary>Codes of the first vector at the first unit.</summary>
    public byte* First;

    public byte* Second;

    /// <summary>Scales of the first vector for the group of the first unit.</summary>
    public byte* FirstScales;

    public byte* SecondScales;

    /// <summary>Likewise zeros; null where all are <see cref="DefaultZero"/>.</summary>
    public sbyte* FirstZeros;

    public sbyte* SecondZeros;

    public float DefaultZero;

    public int Units;

    /// <summary>Units until the first group ends.</summary>
    public int UnitsToGroupEnd;

    /// <summary>Units of every other group.</summary>
    public int GroupUnits;
}
