namespace Fastgen.Engine.GoldenTests.Compatibility;

/// <summary>One line of docs/compatibility.md.</summary>
/// <param name="Section">Heading of its table.</param>
/// <param name="Name">Name of the golden case.</param>
/// <param name="Detail">What it is, for people.</param>
/// <param name="Compared">Number of comparisons.</param>
/// <param name="Result"><see cref="Equal"/>, or what is not so.</param>
internal sealed record CompatibilityRow(string Section, string Name, string Detail, int Compared, string Result)
{
    /// <summary>All comparisons were equal.</summary>
    public const string Equal = "equal";

    /// <summary>Some comparisons were not.</summary>
    public const string Differs = "differs";

    /// <summary>The engine refuses it by name.</summary>
    public const string NotSupported = "not supported";
}
