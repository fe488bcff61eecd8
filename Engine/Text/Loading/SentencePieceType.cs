namespace Fastgen.Engine.Text.Loading;

/// <summary>What a piece of a tokenizer.model is; the numbers are those of the file.</summary>
internal enum SentencePieceType
{
    /// <summary>A learned piece.</summary>
    Normal = 1,

    /// <summary>What stands for all that is not in the vocabulary.</summary>
    Unknown = 2,

    /// <summary>Never made of text, such as the begin of a text.</summary>
    Control = 3,

    /// <summary>Always one token wherever its text stands.</summary>
    UserDefined = 4,

    /// <summary>Has an id, but is never made.</summary>
    Unused = 5,

    /// <summary>One byte, <c>&lt;0xNN&gt;</c>.</summary>
    Byte = 6,
}
