namespace Fastgen.Engine.Text.Unicode;

/// <summary>What the word patterns of language models ask about a character, as bits.</summary>
[Flags]
internal enum CharClass : byte
{
    None = 0,

    /// <summary>General category L.</summary>
    Letter = 1,

    /// <summary>General category N.</summary>
    Number = 2,

    /// <summary>White_Space.</summary>
    Space = 4,

    /// <summary>Carriage return or line feed.</summary>
    NewLine = 8,

    /// <summary>General category M.</summary>
    Mark = 16,

    /// <summary>Lu, Lt, Lm, Lo or M.</summary>
    UpperLike = 32,

    /// <summary>Ll, Lm, Lo or M.</summary>
    LowerLike = 64,
}
