namespace Fastgen.EndToEnd.Tests;

/// <summary>One stack for the tests that leave it as they found it.</summary>
public sealed class StackFixture : IAsyncLifetime
{
    private Stack? _stack;

    internal Stack Stack => _stack ?? throw new InvalidOperationException("The stack has not been started.");

    public async ValueTask InitializeAsync() => _stack = await Stack.StartAsync();

    public ValueTask DisposeAsync() => _stack?.DisposeAsync() ?? ValueTask.CompletedTask;
}
