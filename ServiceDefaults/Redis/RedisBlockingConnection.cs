using Microsoft.Extensions.Logging;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// A connection for commands that wait in the server. Each call has
/// <see cref="RedisOptions.CommandTimeout"/> to be sent, and the block time plus as much again to be answered. Use it from one loop: a second call waits behind the first.
/// </summary>
/// <remarks>
/// Cancelling a call closes the connection, since the server would otherwise go on waiting. Entries that XREADGROUP
/// gave out at that very moment stay pending for the consumer: read them with id <c>0</c>, or let another claim them.
/// The same holds for a call that failed with an unknown effect.
/// </remarks>
public sealed class RedisBlockingConnection : IAsyncDisposable
{
    private readonly RedisOptions _options;
    private readonly RedisLink _link;

    internal RedisBlockingConnection(RedisOptions options, ILogger logger)
    {
        _options = options;
        _link = new RedisLink(options, logger, dropsOnCancel: true);
    }

    /// <summary>Whether there is a connection at this moment.</summary>
    public bool IsConnected => _link.IsConnected;

    /// <summary>XREADGROUP BLOCK: waits for entries of any of the streams.</summary>
    /// <param name="block">How long the server waits, at least one millisecond.</param>
    /// <returns>Streams with entries; empty when none came in time.</returns>
    public async Task<RedisStreamBatch[]> XReadGroupAsync(string group, string consumer, int count, TimeSpan block, RedisStreamOffset[] streams, CancellationToken cancellationToken = default) =>
        RedisStreamEntry.ReadStreams(await Send(StreamCommands.ReadGroup(_link.Commands, group, consumer, count, block, streams), block, cancellationToken).ConfigureAwait(false));

    /// <summary>XREAD BLOCK: waits for entries of any of the streams.</summary>
    /// <param name="block">How long the server waits, at least one millisecond.</param>
    /// <returns>Streams with entries; empty when none came in time.</returns>
    public async Task<RedisStreamBatch[]> XReadAsync(int count, TimeSpan block, RedisStreamOffset[] streams, CancellationToken cancellationToken = default) =>
        RedisStreamEntry.ReadStreams(await Send(StreamCommands.Read(_link.Commands, count, block, streams), block, cancellationToken).ConfigureAwait(false));

    /// <summary>Sends any command that waits in the server for up to <paramref name="block"/>.</summary>
    public ValueTask<RespValue> ExecuteAsync(ReadOnlySpan<RedisArg> words, TimeSpan block, CancellationToken cancellationToken = default) =>
        Send(_link.Commands.Create(words), block, cancellationToken);

    /// <summary>Closes the connection; a call under way fails.</summary>
    public ValueTask DisposeAsync() => _link.DisposeAsync();

    private ValueTask<RespValue> Send(RedisCommand command, TimeSpan block, CancellationToken cancellationToken)
    {
        command.BlockMs = (int)Math.Clamp(block.TotalMilliseconds, 1, int.MaxValue / 4);
        return _link.Send(command, _options.CommandTimeout, cancellationToken);
    }
}
