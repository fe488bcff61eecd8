using Fastgen.Contracts;

namespace Fastgen.OpenAI;

/// <summary>An HTTP error with the four fields of OpenAI's error body.</summary>
internal sealed class ApiException(int status, string message, string? parameter = null, string? code = null) : Exception(message)
{
    public int Status { get; } = status;

    public string? Parameter { get; } = parameter;

    public string? Code { get; } = code;

    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Methods the path does answer to, for 405.</summary>
    public string? Allow { get; init; }

    public string Type => Status switch
    {
        429 => "requests",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };

    public static ApiException Invalid(string message, string? parameter) => new(400, message, parameter);

    public static ApiException From(GenerationException e) => e.Kind switch
    {
        GenerationErrorKind.InvalidRequest => new(400, e.Message, e.Parameter, e.Code),
        GenerationErrorKind.ModelNotFound => new(404, e.Message, e.Parameter ?? "model", e.Code ?? "model_not_found"),
        // A client that is told 429 without a time would come back at once.
        GenerationErrorKind.Overloaded => new(429, e.Message, e.Parameter, e.Code ?? "rate_limit_exceeded")
        {
            RetryAfter = e.RetryAfter ?? TimeSpan.FromSeconds(1),
        },
        GenerationErrorKind.Unavailable => new(503, e.Message, e.Parameter, e.Code ?? "service_unavailable") { RetryAfter = e.RetryAfter },
        _ => new(500, e.Message, e.Parameter, e.Code),
    };
}
