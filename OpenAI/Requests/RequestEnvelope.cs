namespace Fastgen.OpenAI.Requests;

/// <summary>What is known of a request besides its fields.</summary>
/// <param name="Id">The answer's <c>id</c>.</param>
/// <param name="CreatedUnixSeconds">The answer's <c>created</c>.</param>
/// <param name="Model">The model asked for, or the only one there is.</param>
/// <param name="TraceParent">W3C traceparent of the server's span.</param>
internal sealed record RequestEnvelope(string Id, long CreatedUnixSeconds, string Model, string? TraceParent);
