using Fastgen.Contracts;

namespace Fastgen.OpenAI.Responses;

/// <summary>Endings of a choice that the API has no finish reason for.</summary>
internal static class GenerationFailure
{
    public static void ThrowIfFailed(GenerationEvent news)
    {
        if (news.FinishReason == FinishReason.Error)
        {
            throw new ApiException(500, news.Error ?? "The model could not go on generating; try again.", null, "generation_failed");
        }

        // Our own caller's cancellation ends in OperationCanceledException; this one came from the server's side.
        if (news.FinishReason == FinishReason.Cancelled)
        {
            throw new ApiException(503, news.Error ?? "The server stopped this request before it was done; send it again.", null, "generation_cancelled");
        }
    }
}
