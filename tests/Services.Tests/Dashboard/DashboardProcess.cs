using Fastgen.Services.Tests.Fleet;

namespace Fastgen.Services.Tests.Dashboard;

/// <summary>The dashboard in a process of its own.</summary>
internal sealed class DashboardProcess : IAsyncDisposable
{
    private readonly ServiceProcess _service;

    private DashboardProcess(ServiceProcess service) => _service = service;

    public HttpClient Http => _service.Http;

    public static async Task<DashboardProcess> StartAsync(string redis, params (string Name, string Value)[] environment) =>
        new(await ServiceProcess.StartAsync("Fastgen.Dashboard.dll", [("ConnectionStrings__redis", redis), .. environment]));

    public Task<string> PageAsync() => Http.GetStringAsync(new Uri("/", UriKind.Relative));

    /// <summary>The page, as soon as it is as the test wants it.</summary>
    public Task<string> PageWhenAsync(Func<string, bool> isWanted) => Eventually.SeeAsync(PageAsync, isWanted);

    public ValueTask DisposeAsync() => _service.DisposeAsync();
}
