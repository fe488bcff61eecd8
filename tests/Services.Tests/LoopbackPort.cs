using System.Net;
using System.Net.Sockets;

namespace Fastgen.Services.Tests;

/// <summary>Ports for servers that bind theirs only some time after the test has chosen it.</summary>
internal static class LoopbackPort
{
    // Outside the ranges from which the kernel (from 32,768) and the app host (20,000 to 31,999) give out ports,
    // so that nobody takes a port between its choice and its use.
    private const int First = 10_000;
    private const int Count = 9_900;

    private static int _next = Random.Shared.Next(Count);

    /// <summary>A port that nobody listens on and that no other call gets.</summary>
    public static int Next()
    {
        for (int attempt = 0; attempt < Count; attempt++)
        {
            int port = First + (int)((uint)Interlocked.Increment(ref _next) % Count);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another program's.
            }
        }

        throw new InvalidOperationException($"No free port from {First} to {First + Count - 1}; stop programs that listen there.");
    }
}
