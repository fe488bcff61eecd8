namespace Fastgen.Engine.Text.Templates;

/// <summary>A chat template could not be parsed, or refused what it was given (its own <c>raise_exception</c> included).</summary>
public sealed class ChatTemplateException : Exception
{
    /// <summary>Creates the exception without details.</summary>
    public ChatTemplateException()
        : this("The chat template failed.")
    {
    }

    /// <summary>Creates the exception with a message that stands for itself.</summary>
    public ChatTemplateException(string message)
        : this(message, null)
    {
    }

    /// <summary>Creates the exception with a message that stands for itself and its cause.</summary>
    public ChatTemplateException(string message, Exception? innerException)
        : base(message, innerException)
    {
        Kind = "TemplateError";
        Reason = message;
    }

    internal ChatTemplateException(string kind, string reason, int line, Exception? innerException)
        : base($"Chat template, line {line}: {kind}: {reason}", innerException)
    {
        Kind = kind;
        Reason = reason;
        Line = line;
    }

    /// <summary>The name that Jinja2 or Python gives to this error, for example <c>UndefinedError</c>; <c>TemplateError</c> for <c>raise_exception</c>.</summary>
    public string Kind { get; }

    /// <summary>The reason alone, without position: for <c>raise_exception</c> the text that the template's author wrote.</summary>
    public string Reason { get; }

    /// <summary>Line in the template, from 1; 0 when the failure has no place in it.</summary>
    public int Line { get; }
}
