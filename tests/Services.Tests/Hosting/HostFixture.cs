using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fastgen.Services.Tests.Hosting;

/// <summary>An application that a test describes, starts and stops, with its log.</summary>
internal sealed class HostFixture : IAsyncDisposable
{
    private DistributedApplication? _app;

    public HostFixture(params string[] args)
    {
        Builder = DistributedApplicationTestingBuilder.Create(args);
        Builder.Services.AddSingleton<ILoggerProvider>(Log);
    }

    public IDistributedApplicationTestingBuilder Builder { get; }

    public CapturedLog Log { get; } = new();

    public DistributedApplication App => _app!;

    public async Task<DistributedApplication> StartAsync()
    {
        _app = await Builder.BuildAsync();
        await _app.StartAsync();
        return _app;
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        await Builder.DisposeAsync();
    }
}
