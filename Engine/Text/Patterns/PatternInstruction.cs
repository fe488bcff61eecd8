namespace Fastgen.Engine.Text.Patterns;

/// <summary>The operations of a compiled pattern.</summary>
internal enum PatternOperation : byte
{
    /// <summary>One code point of a set.</summary>
    Set,

    /// <summary>A run of a set, longest first, giving back unless <see cref="PatternInstruction.Possessive"/>.</summary>
    SetRun,

    /// <summary>Goes on at <see cref="PatternInstruction.Target"/> first, then at <see cref="PatternInstruction.Other"/>.</summary>
    Split,

    Jump,

    Assertion,

    /// <summary>Runs the part that starts behind it without giving back; goes on at <see cref="PatternInstruction.Target"/>.</summary>
    Atomic,

    /// <summary>Asks whether the part behind it matches from here.</summary>
    LookAhead,

    /// <summary>Asks whether the part behind it matches up to here.</summary>
    LookBehind,

    /// <summary>The end of the pattern or of a part.</summary>
    Match,
}

/// <summary>One step of a compiled pattern.</summary>
internal readonly record struct PatternInstruction(
    PatternOperation Operation,
    CodePointSet? Set = null,
    int Target = 0,
    int Other = 0,
    int Min = 0,
    int Max = 0,
    bool Possessive = false,
    bool Negative = false,
    Anchor Anchor = Anchor.LineStart,
    int MemoIndex = -1);
