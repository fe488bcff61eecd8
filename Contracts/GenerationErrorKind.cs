namespace Fastgen.Contracts;

/// <summary>Whose fault it is that a request cannot be served.</summary>
public enum GenerationErrorKind
{
    /// <summary>400: the request is wrong.</summary>
    InvalidRequest,

    /// <summary>404: no such model.</summary>
    ModelNotFound,

    /// <summary>429: the queue is full; see <see cref="GenerationException.RetryAfter"/>.</summary>
    Overloaded,

    /// <summary>503: nobody is there to serve it now.</summary>
    Unavailable,

    /// <summary>500: our fault.</summary>
    Internal,
}
