using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fastgen.Hosting.Run;

/// <summary>Gives every endpoint of every replica its port.</summary>
internal static class PortAllocator
{
    // Below the kernels' ephemeral ranges (Linux from 32768, others from 49152), so that no outgoing
    // connection takes a port between its allocation and the moment when the resource binds it.
    private const int FirstPort = 20_000;
    private const int LastPort = 32_000;

    /// <exception cref="DistributedApplicationException">A fixed port is in use, or asked for twice.</exception>
    public static void Allocate(IReadOnlyList<Resource> resources, bool randomPorts)
    {
        var taken = new Dictionary<int, string>();
        foreach (var resource in resources)
        {
            foreach (var endpoint in resource.Endpoints)
            {
                if (!randomPorts && endpoint.FixedPort is { } port)
                {
                    endpoint.Ports = [Fixed(resource, endpoint, port, taken)];
                }
            }
        }

        foreach (var endpoint in resources.SelectMany(r => r.Endpoints, (resource, endpoint) => (resource, endpoint)))
        {
            if (endpoint.endpoint.Ports.Count == 0)
            {
                endpoint.endpoint.Ports = [.. Enumerable.Range(0, endpoint.resource.Replicas).Select(_ => Free(endpoint.resource, taken))];
            }
        }
    }

    private static int Fixed(Resource resource, EndpointDescription endpoint, int port, Dictionary<int, string> taken)
    {
        if (port is < 1 or > 65535)
        {
            throw new DistributedApplicationException($"Endpoint '{endpoint.Name}' of '{resource.Name}' asks for port {port}; ports are 1 to 65535.");
        }

        if (resource.Replicas > 1)
        {
            throw new DistributedApplicationException(
                $"Endpoint '{endpoint.Name}' of '{resource.Name}' has the fixed port {port}, but {resource.Replicas} replicas cannot share it; leave the port out or run one replica.");
        }

        // The remedy names configuration as the app host reads it: NAME:Port for each resource with a fixed port.
        if (taken.TryGetValue(port, out var other))
        {
            throw new DistributedApplicationException(
                $"Port {port} is asked for by both '{other}' and '{resource.Name}'; give one another port, for example --{resource.Name}:port={port + 1}.");
        }

        if (!IsFree(port, out var reason))
        {
            throw new DistributedApplicationException(
                $"Port {port}, which '{resource.Name}' needs for its endpoint '{endpoint.Name}', cannot be bound ({reason}); "
                + $"stop the program that holds it (`ss -ltnp 'sport = :{port}'` shows it) or give '{resource.Name}' another port, for example --{resource.Name}:port={port + 1}.");
        }

        taken.Add(port, resource.Name);
        return port;
    }

    private static int Free(Resource resource, Dictionary<int, string> taken)
    {
        for (var attempt = 0; attempt < 1_000; attempt++)
        {
            var port = Random.Shared.Next(FirstPort, LastPort);
            if (!taken.ContainsKey(port) && IsFree(port, out _))
            {
                taken.Add(port, resource.Name);
                return port;
            }
        }

        throw new DistributedApplicationException(
            $"No free port between {FirstPort} and {LastPort} for '{resource.Name}' after 1,000 attempts; stop programs that listen there.");
    }

    private static bool IsFree(int port, out string reason)
    {
        foreach (var address in (ReadOnlySpan<IPAddress>)[IPAddress.Loopback, IPAddress.IPv6Loopback])
        {
            try
            {
                using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(address, port));
                socket.Listen(1);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                reason = e.SocketErrorCode == SocketError.AccessDenied ? "not permitted, ports below 1024 are the administrator's" : "already in use";
                return false;
            }
            catch (SocketException)
            {
                // A machine without IPv6 has nothing to collide with there.
            }
        }

        reason = "";
        return true;
    }
}
