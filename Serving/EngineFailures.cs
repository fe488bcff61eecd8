using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Engine;

namespace Fastgen.Serving;

/// <summary>The engine's endings and exceptions in the words of the API.</summary>
internal static class EngineFailures
{
    public static FinishReason? Translate(EngineFinishReason? reason) => reason switch
    {
        null => null,
        EngineFinishReason.Stop => FinishReason.Stop,
        EngineFinishReason.Length => FinishReason.Length,
        EngineFinishReason.Cancelled => FinishReason.Cancelled,
        _ => FinishReason.Error,
    };

    public static GenerationException Translate(Exception e, GenerationRequest request, TimeSpan retryAfter) => e switch
    {
        GenerationException known => known,
        EngineRequestException refused => new(GenerationErrorKind.InvalidRequest, refused.Message, ParameterName(refused.Parameter, request), refused.Code),
        EngineOverloadedException => new(GenerationErrorKind.Overloaded, e.Message) { RetryAfter = retryAfter },
        EngineFaultedException or ObjectDisposedException => new(GenerationErrorKind.Unavailable, e.Message),
        _ => new(GenerationErrorKind.Internal, $"The engine failed: {e.Message}", innerException: e),
    };

    /// <summary>The engine names its own properties; callers know the fields of the API.</summary>
    private static string? ParameterName(string? engineName, GenerationRequest request) => engineName switch
    {
        null => null,
        "prompt" => request.Messages is null ? "prompt" : "messages",
        "StopStrings" => "stop",
        _ => JsonNamingPolicy.SnakeCaseLower.ConvertName(engineName),
    };
}
