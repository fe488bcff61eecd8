using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Fastgen.OpenAI.Responses;

/// <summary>OpenAI's <c>openai-processing-ms</c> header.</summary>
internal static class ProcessingTime
{
    public static void Write(HttpResponse response, long startTimestamp) => response.Headers["openai-processing-ms"] =
        ((long)Stopwatch.GetElapsedTime(startTimestamp).TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
}
