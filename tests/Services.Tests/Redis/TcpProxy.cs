using System.Net;
using System.Net.Sockets;

namespace Fastgen.Services.Tests.Redis;

/// <summary>Stands between client and server and does to their bytes what bad networks do.</summary>
internal sealed class TcpProxy(int targetPort) : LoopbackListener
{
    /// <summary>Most bytes passed on at once, in both directions.</summary>
    public int PieceBytes { get; set; } = 65536;

    /// <summary>Bytes of the server after which the connection is cut; null never cuts.</summary>
    public int? CutAfterBytes { get; set; }

    protected override async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        // Where the server is down, the client sees its connection closed.
        await server.ConnectAsync(IPAddress.Loopback, targetPort, Stopped);
        await Task.WhenAny(PumpAsync(client.GetStream(), server.GetStream(), false), PumpAsync(server.GetStream(), client.GetStream(), true));
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, bool isServer)
    {
        byte[] buffer = new byte[65536];
        int passed = 0;
        while (true)
        {
            int count = await from.ReadAsync(buffer.AsMemory(0, PieceBytes), Stopped);
            if (count == 0)
            {
                return;
            }

            if (isServer && CutAfterBytes is int cut && passed + count >= cut)
            {
                await to.WriteAsync(buffer.AsMemory(0, Math.Max(0, cut - passed)), Stopped);
                return;
            }

            await to.WriteAsync(buffer.AsMemory(0, count), Stopped);
            passed += count;
        }
    }
}
