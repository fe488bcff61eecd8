namespace Fastgen.Contracts.Wire;

/// <summary>Fields of an entry in a request stream.</summary>
public static class RequestFields
{
    /// <summary>Id of the gateway that waits for the replies.</summary>
    public const string Gateway = "gateway";

    /// <summary>Number by which the gateway knows the request in its replies; a new one for each submission.</summary>
    public const string Ticket = "ticket";

    /// <summary>The <see cref="GenerationRequest"/> as JSON.</summary>
    public const string Body = "body";

    /// <summary>The one field of an entry in a reply stream: a <see cref="ReplyBatch"/>.</summary>
    public const string Replies = "replies";
}
