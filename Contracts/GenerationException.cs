namespace Fastgen.Contracts;

/// <summary>A request that cannot be served, in the terms of the OpenAI error body.</summary>
/// <param name="kind">Decides the HTTP status.</param>
/// <param name="message">Names the value, the limit and the remedy.</param>
/// <param name="parameter">Request field at fault, as the API names it.</param>
/// <param name="code">OpenAI error code such as <c>model_not_found</c> or <c>context_length_exceeded</c>.</param>
/// <param name="innerException">What led to it, for the log.</param>
public sealed class GenerationException(GenerationErrorKind kind, string message, string? parameter = null, string? code = null, Exception? innerException = null)
    : Exception(message, innerException)
{
    public GenerationErrorKind Kind { get; } = kind;

    public string? Parameter { get; } = parameter;

    public string? Code { get; } = code;

    /// <summary>For <see cref="GenerationErrorKind.Overloaded"/>: when trying again makes sense.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
