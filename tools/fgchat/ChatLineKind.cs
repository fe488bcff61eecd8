namespace Fastgen.Tools.FgChat;

/// <summary>What a line of input is.</summary>
internal enum ChatLineKind
{
    /// <summary>Nothing but blanks.</summary>
    Empty,

    /// <summary>Something to say to the model.</summary>
    Message,

    /// <summary><c>/m</c>: lines follow, up to one with a single full stop.</summary>
    MultiLine,

    /// <summary><c>/r N</c>: forget round N and what came after.</summary>
    Reset,

    /// <summary><c>/help</c>.</summary>
    Help,

    /// <summary><c>/q</c>.</summary>
    Quit,

    /// <summary>A slash and a word that is no command.</summary>
    Unknown,
}
