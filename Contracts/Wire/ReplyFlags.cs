namespace Fastgen.Contracts.Wire;

/// <summary>Which parts of an item follow its first byte.</summary>
[Flags]
internal enum ReplyFlags : byte
{
    None = 0,
    Text = 1,
    Finish = 2,
    Error = 4,
    Logprobs = 8,
    Usage = 16,
    Failure = 32,
    Release = 64,
}
