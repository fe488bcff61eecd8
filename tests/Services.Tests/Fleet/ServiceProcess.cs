using System.Diagnostics;
using System.Text;

namespace Fastgen.Services.Tests.Fleet;

/// <summary>One of the services in a process of its own, as the app host starts it.</summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private ServiceProcess(Process process, Uri address)
    {
        _process = process;
        Http = new HttpClient { BaseAddress = address, Timeout = Eventually.Limit };
    }

    public HttpClient Http { get; }

    public int Id => _process.Id;

    /// <summary>Starts a service of the solution and waits until it answers.</summary>
    /// <param name="assembly">File name of the program in the output of the tests.</param>
    public static async Task<ServiceProcess> StartAsync(string assembly, params (string Name, string Value)[] environment)
    {
        var address = new Uri($"http://127.0.0.1:{LoopbackPort.Next()}");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, assembly)]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ASPNETCORE_URLS"] = address.OriginalString;
        start.Environment["FASTGEN_PARENT_PID"] = $"{Environment.ProcessId}";
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        var service = new ServiceProcess(Process.Start(start)!, address);
        service._process.OutputDataReceived += service.Take;
        service._process.ErrorDataReceived += service.Take;
        service._process.BeginOutputReadLine();
        service._process.BeginErrorReadLine();
        await Eventually.BeTrueAsync(service.IsAliveAsync);
        return service;
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as a supervisor sends it.</summary>
    public async Task TerminateAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }

    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Eventually.Limit);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private async Task<bool> IsAliveAsync()
    {
        Assert.False(_process.HasExited, $"The service ended at once: {Output()}");
        try
        {
            using HttpResponseMessage response = await Http.GetAsync(new Uri("/alive", UriKind.Relative));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Take(object sender, DataReceivedEventArgs e)
    {
        lock (_output)
        {
            _output.AppendLine(e.Data);
        }
    }

    private string Output()
    {
        lock (_output)
        {
            return _output.ToString();
        }
    }
}
