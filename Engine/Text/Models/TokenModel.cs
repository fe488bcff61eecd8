namespace Fastgen.Engine.Text.Models;

/// <summary>Turns pieces of text into token ids.</summary>
internal abstract class TokenModel
{
    /// <summary>The model's own tokens, without added ones.</summary>
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>Appends the ids of one piece. Safe on many threads at once.</summary>
    /// <exception cref="TokenizerFormatException">The piece needs the unknown token, which the file names but does not hold.</exception>
    public abstract void Tokenize(ReadOnlySpan<char> piece, List<int> ids);

    /// <summary>Asks the model to take pieces as plain text and to map bytes to the byte-level alphabet itself, which is faster.</summary>
    /// <returns>False: the model cannot, and pieces must be mapped before.</returns>
    public virtual bool TryTakePlainText() => false;
}
