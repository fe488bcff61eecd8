namespace Fastgen.Engine.Text;

/// <summary>A tokenizer file is damaged, or asks for something that is not supported; the message names file, part and remedy.</summary>
public sealed class TokenizerFormatException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong, where, and what helps.</param>
    public TokenizerFormatException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with its cause.</summary>
    /// <param name="message">What is wrong, where, and what helps.</param>
    /// <param name="innerException">What the reader ran into.</param>
    public TokenizerFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
