using System.Net.Sockets;
using System.Text;

namespace Fastgen.Services.Tests.Hosting;

/// <summary>Just enough of a client to ask a server one question by inline commands.</summary>
internal static class RedisClient
{
    /// <returns>The first line of the reply, or what went wrong.</returns>
    public static string Ask(string connectionString, string command)
    {
        var password = connectionString.Split("password=") is [_, var given] ? given : null;
        var address = connectionString.Split(',')[0].Split(':');
        try
        {
            using var client = new TcpClient(address[0], int.Parse(address[1], null)) { ReceiveTimeout = 5_000 };
            var stream = client.GetStream();
            using var reader = new StreamReader(stream);
            if (password is not null)
            {
                stream.Write(Encoding.ASCII.GetBytes($"AUTH {password}\r\n"));
                _ = reader.ReadLine();
            }

            stream.Write(Encoding.ASCII.GetBytes(command + "\r\n"));
            return reader.ReadLine() ?? "closed";
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return e.Message;
        }
    }
}
