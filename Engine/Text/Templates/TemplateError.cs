namespace Fastgen.Engine.Text.Templates;

/// <summary>What went wrong while a template ran; named as the reference names it, because filters catch some kinds and not others.</summary>
internal enum ErrorKind
{
    Syntax,
    Type,
    Value,
    Lookup,
    Undefined,
    Security,
    Overflow,
    ZeroDivision,
    Assertion,
    Raised,
    Limit,
}

/// <summary>An error inside the template language; leaves the public surface as <see cref="ChatTemplateException"/>.</summary>
internal sealed class TemplateError(ErrorKind kind, string message, int line = 0) : Exception(message)
{
    public ErrorKind Kind { get; } = kind;

    /// <summary>Line from 1, or 0 when whoever threw did not know it.</summary>
    public int Line { get; } = line;

    public string KindName => Kind switch
    {
        ErrorKind.Syntax => "TemplateSyntaxError",
        ErrorKind.Type => "TypeError",
        ErrorKind.Value => "ValueError",
        ErrorKind.Lookup => "LookupError",
        ErrorKind.Undefined => "UndefinedError",
        ErrorKind.Security => "SecurityError",
        ErrorKind.Overflow => "OverflowError",
        ErrorKind.ZeroDivision => "ZeroDivisionError",
        ErrorKind.Assertion => "AssertionError",
        ErrorKind.Raised => "TemplateError",
        _ => "LimitExceeded",
    };

    public static TemplateError Type(string message) => new(ErrorKind.Type, message);

    public static TemplateError Value(string message) => new(ErrorKind.Value, message);
}
