namespace Fastgen.Engine.Text.Models;

/// <summary>The shape of well-formed UTF-8.</summary>
internal static class Utf8
{
    /// <summary>Bytes of the character that begins with <paramref name="lead"/>.</summary>
    public static int CharacterLength(byte lead) => lead switch { < 0x80 => 1, < 0xE0 => 2, < 0xF0 => 3, _ => 4 };
}
