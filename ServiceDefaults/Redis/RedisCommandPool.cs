using System.Collections.Concurrent;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>Commands between two lives; bounded, so that a burst does not keep its memory for ever.</summary>
internal sealed class RedisCommandPool
{
    private const int MaxCommands = 16384;

    private readonly ConcurrentQueue<RedisCommand> _idle = new();
    private int _count;

    /// <summary>Begins a command of so many words, its name included; exactly so many <c>Add</c> must follow.</summary>
    public RedisCommand Begin(int words)
    {
        if (_idle.TryDequeue(out RedisCommand? command))
        {
            Interlocked.Decrement(ref _count);
        }
        else
        {
            command = new RedisCommand(this);
        }

        return command.Begin(words);
    }

    /// <summary>A command of these words.</summary>
    public RedisCommand Create(ReadOnlySpan<RedisArg> words)
    {
        if (words.IsEmpty)
        {
            throw new ArgumentException("A command has at least one word, its name.", nameof(words));
        }

        RedisCommand command = Begin(words.Length);
        foreach (ref readonly RedisArg word in words)
        {
            word.WriteTo(command);
        }

        return command;
    }

    public void Return(RedisCommand command)
    {
        if (Interlocked.Increment(ref _count) <= MaxCommands)
        {
            _idle.Enqueue(command);
        }
        else
        {
            Interlocked.Decrement(ref _count);
        }
    }
}
