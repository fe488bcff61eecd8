namespace Fastgen.Engine.Text.Normalizers;

/// <summary>The settings of SentencePiece's normalizer.</summary>
/// <param name="Map">Character map, or null.</param>
/// <param name="AddPrefix">Puts a space in front.</param>
/// <param name="PrefixAtStartOnly">Only in front of the whole text, not of each part between added tokens.</param>
/// <param name="RemoveExtraSpaces">Makes one space of several, and none of those at the ends.</param>
/// <param name="EscapeSpaces">Makes spaces visible, U+2581.</param>
/// <param name="SpaceIsSuffix">The space belongs behind a word, not in front.</param>
internal sealed record SentencePieceRules(CharacterMap? Map, bool AddPrefix, bool PrefixAtStartOnly, bool RemoveExtraSpaces, bool EscapeSpaces, bool SpaceIsSuffix);
