using System.Net;
using System.Net.Sockets;

namespace Fastgen.Tools.FgServe;

/// <summary>Resolves where to listen.</summary>
internal static class ListenAddress
{
    /// <exception cref="SocketException">The name has no address.</exception>
    public static IPAddress Resolve(string host) => host is "*" or "+"
        ? IPAddress.Any
        : IPAddress.TryParse(host, out IPAddress? address) ? address : Dns.GetHostAddresses(host).OrderBy(found => found.AddressFamily).First();

    /// <summary>Why the address cannot be listened on, or null when it can.</summary>
    public static string? Problem(string host, int port)
    {
        try
        {
            using var listener = new TcpListener(Resolve(host), port);
            listener.Start();
            return null;
        }
        catch (SocketException e)
        {
            return Explain(host, port, e.SocketErrorCode, e.Message);
        }
    }

    private static string Explain(string host, int port, SocketError error, string message) => error switch
    {
        SocketError.AddressAlreadyInUse => $"port {port} of {host} is in use; stop what listens there or take another one with --port.",
        SocketError.AccessDenied => $"port {port} of {host} needs more rights; take one above 1023 with --port.",
        SocketError.AddressNotAvailable => $"{host} is no address of this machine; take 127.0.0.1, 0.0.0.0 or one of its own with --host.",
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => $"the host name {host} has no address; take an address with --host.",
        _ => $"cannot listen on {host}:{port}: {message}; take others with --host and --port.",
    };
}
