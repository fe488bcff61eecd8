namespace Fastgen.Engine.Backends;

/// <summary>What stands for a group of experts where only some groups may be chosen from.</summary>
internal enum ExpertGroupScoring
{
    /// <summary>Its best expert's score.</summary>
    Best,

    /// <summary>The sum of its two best experts' scores.</summary>
    SumOfBestTwo,
}
