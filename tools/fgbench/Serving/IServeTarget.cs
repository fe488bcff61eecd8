namespace Fastgen.Tools.FgBench.Serving;

/// <summary>Whatever answers a request of <see cref="ServeLoad"/>.</summary>
internal interface IServeTarget : IAsyncDisposable
{
    /// <summary>Makes the requests of a run beforehand.</summary>
    void Prepare(int requests, int maxTokens);

    /// <summary>Streams one request to its end.</summary>
    /// <param name="index">Which request; it decides the prompt.</param>
    /// <param name="onPiece">Called for every piece of text as it comes.</param>
    Task<ServeAnswer> StreamAsync(int index, int maxTokens, Action onPiece, CancellationToken cancellationToken);
}
