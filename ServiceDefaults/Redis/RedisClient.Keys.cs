using System.Globalization;
using System.Runtime.CompilerServices;

namespace Fastgen.ServiceDefaults.Redis;

public sealed partial class RedisClient
{
    /// <summary>PING.</summary>
    public async Task PingAsync(CancellationToken cancellationToken = default) => await Send(Begin(1).Add("PING"), cancellationToken).ConfigureAwait(false);

    /// <summary>INFO, as the server's text.</summary>
    public async Task<string> InfoAsync(string? section = null, CancellationToken cancellationToken = default) =>
        await SendForString(section is null ? Begin(1).Add("INFO") : Begin(2).Add("INFO").Add(section), cancellationToken).ConfigureAwait(false) ?? "";

    /// <summary>TIME: the server's clock, in microseconds since 1970.</summary>
    public ValueTask<DateTimeOffset> TimeAsync(CancellationToken cancellationToken = default) =>
        Convert(Send(Begin(1).Add("TIME"), cancellationToken), static r => DateTimeOffset.FromUnixTimeSeconds(r.Items[0].AsInt64()).AddMicroseconds(r.Items[1].AsInt64()));

    /// <summary>GET: null where there is no such key.</summary>
    public ValueTask<string?> GetAsync(string key, CancellationToken cancellationToken = default) => SendForString(Begin(2).Add("GET").Add(key), cancellationToken);

    /// <summary>SET, with an expiry and with NX if wanted.</summary>
    /// <returns>False only when <paramref name="onlyIfNew"/> and the key was there.</returns>
    public ValueTask<bool> SetAsync(string key, RedisArg value, TimeSpan? expiry = null, bool onlyIfNew = false, CancellationToken cancellationToken = default)
    {
        RedisCommand command = Begin(3 + (expiry is null ? 0 : 2) + (onlyIfNew ? 1 : 0)).Add("SET").Add(key).Add(value);
        if (expiry is { } time)
        {
            command.Add("PX").Add((long)time.TotalMilliseconds);
        }

        if (onlyIfNew)
        {
            command.Add("NX");
        }

        return NotNull(Send(command, cancellationToken));
    }

    /// <summary>DEL.</summary>
    /// <returns>How many of the keys were there.</returns>
    public ValueTask<long> DelAsync(ReadOnlySpan<string> keys, CancellationToken cancellationToken = default)
    {
        RedisCommand command = Begin(1 + keys.Length).Add("DEL");
        foreach (string key in keys)
        {
            command.Add(key);
        }

        return SendForInt64(command, cancellationToken);
    }

    /// <summary>DEL of one key.</summary>
    /// <returns>1 when the key was there, otherwise 0.</returns>
    public ValueTask<long> DelAsync(string key, CancellationToken cancellationToken = default) => DelAsync([key], cancellationToken);

    /// <summary>PEXPIRE.</summary>
    /// <returns>False when there is no such key.</returns>
    public ValueTask<bool> ExpireAsync(string key, TimeSpan expiry, CancellationToken cancellationToken = default) =>
        Convert(Send(Begin(3).Add("PEXPIRE").Add(key).Add((long)expiry.TotalMilliseconds), cancellationToken), static r => r.AsBoolean());

    /// <summary>INCRBY.</summary>
    /// <returns>The new value.</returns>
    public ValueTask<long> IncrAsync(string key, long by = 1, CancellationToken cancellationToken = default) =>
        SendForInt64(Begin(3).Add("INCRBY").Add(key).Add(by), cancellationToken);

    /// <summary>HSET.</summary>
    /// <param name="fieldsAndValues">Fields and values in turn.</param>
    /// <returns>How many fields are new.</returns>
    public ValueTask<long> HSetAsync(string key, ReadOnlySpan<RedisArg> fieldsAndValues, CancellationToken cancellationToken = default)
    {
        RequirePairs(fieldsAndValues);
        RedisCommand command = Begin(2 + fieldsAndValues.Length).Add("HSET").Add(key);
        foreach (RedisArg part in fieldsAndValues)
        {
            command.Add(part);
        }

        return SendForInt64(command, cancellationToken);
    }

    /// <summary>HGETALL: empty where there is no such key.</summary>
    public ValueTask<Dictionary<string, string>> HGetAllAsync(string key, CancellationToken cancellationToken = default) =>
        Convert(Send(Begin(2).Add("HGETALL").Add(key), cancellationToken), static r =>
        {
            var fields = new Dictionary<string, string>(r.Items.Length / 2);
            for (int i = 0; i + 1 < r.Items.Length; i += 2)
            {
                fields[r.Items[i].AsString()!] = r.Items[i + 1].AsString()!;
            }

            return fields;
        });

    /// <summary>PUBLISH.</summary>
    /// <returns>How many subscribers this server has given it to.</returns>
    public ValueTask<long> PublishAsync(string channel, RedisArg message, CancellationToken cancellationToken = default) =>
        SendForInt64(Begin(3).Add("PUBLISH").Add(channel).Add(message), cancellationToken);

    /// <summary>SCAN: all keys that match; one may come twice, and keys made or deleted meanwhile may be missed.</summary>
    public async IAsyncEnumerable<string> ScanAsync(string pattern, int pageSize = 250, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string cursor = "0";
        do
        {
            RespValue page = await Send(Begin(6).Add("SCAN").Add(cursor).Add("MATCH").Add(pattern).Add("COUNT").Add(pageSize), cancellationToken).ConfigureAwait(false);
            cursor = page.Items[0].AsString()!;
            for (int i = 0; i < page.Items[1].Items.Length; i++)
            {
                yield return page.Items[1].Items[i].AsString()!;
            }
        }
        while (cursor != "0");
    }

    /// <summary>Runs a script by its hash, and sends its text when the server does not know it.</summary>
    public async Task<RespValue> EvalAsync(RedisScript script, RedisArg[] keys, RedisArg[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(script);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(args);
        try
        {
            return await Send(Eval("EVALSHA", script.Sha1), cancellationToken).ConfigureAwait(false);
        }
        catch (RedisServerException e) when (e.Code == "NOSCRIPT")
        {
            return await Send(Eval("EVAL", script.Text), cancellationToken).ConfigureAwait(false);
        }

        RedisCommand Eval(string command, string body)
        {
            RedisCommand eval = Begin(3 + keys.Length + args.Length).Add(command).Add(body).Add(keys.Length);
            foreach (RedisArg key in keys)
            {
                eval.Add(key);
            }

            foreach (RedisArg arg in args)
            {
                eval.Add(arg);
            }

            return eval;
        }
    }

    private static void RequirePairs(ReadOnlySpan<RedisArg> fieldsAndValues)
    {
        if (fieldsAndValues.IsEmpty || fieldsAndValues.Length % 2 != 0)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"Fields and values come in pairs, at least one, but {fieldsAndValues.Length} words were given."), nameof(fieldsAndValues));
        }
    }
}
