using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>What can be said about resources of several kinds.</summary>
public static class ResourceBuilderExtensions
{
    /// <summary>Sets an environment variable.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value)
        where T : IResourceWithEnvironment
        => builder.AddEnvironment((variables, _) =>
        {
            variables[name] = value ?? "";
            return ValueTask.CompletedTask;
        });

    /// <summary>Sets an environment variable to the value of a parameter.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, IResourceBuilder<ParameterResource> parameter)
        where T : IResourceWithEnvironment
        => builder.AddEnvironment(async (variables, ct) => variables[name] = await parameter.Resource.GetValueAsync(ct) ?? "");

    /// <summary>Sets an environment variable to the address of an endpoint.</summary>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, EndpointReference endpointReference)
        where T : IResourceWithEnvironment
        => builder.AddEnvironment((variables, _) =>
        {
            variables[name] = endpointReference.Url;
            return ValueTask.CompletedTask;
        });

    /// <summary>Tells a resource how to reach a server: <c>ConnectionStrings__NAME</c>, and its parts <c>NAME_HOST</c> and so on where they are known.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithConnectionString> source)
        where TDestination : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(source);
        return builder.AddEnvironment(async (variables, ct) =>
        {
            var name = source.Resource.Name;
            variables["ConnectionStrings__" + name] = await source.Resource.GetConnectionStringAsync(ct) ?? "";
            foreach (var (part, value) in (source.Resource as RedisResource)?.ConnectionProperties() ?? [])
            {
                variables[$"{VariableName(name)}_{part}"] = value;
            }
        });
    }

    /// <summary>Tells a resource where another listens: <c>services__name__scheme__n</c> and <c>NAME_ENDPOINT</c>.</summary>
    /// <remarks>Aspire puts a proxy before replicas; here each replica is an entry of its own in <c>services__…</c>.</remarks>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source)
        where TDestination : IResourceWithEnvironment
    {
        ArgumentNullException.ThrowIfNull(source);
        return builder.AddEnvironment((variables, _) =>
        {
            var name = source.Resource.Name;
            foreach (var endpoint in ((Resource)source.Resource).Endpoints)
            {
                variables[$"{VariableName(name)}_{VariableName(endpoint.Name)}"] = endpoint.UrlOf(0);
                for (var replica = 0; replica < endpoint.Ports.Count; replica++)
                {
                    variables[$"services__{name}__{endpoint.Name}__{replica}"] = endpoint.UrlOf(replica);
                }
            }

            return ValueTask.CompletedTask;
        });
    }

    /// <summary>Adds command line arguments.</summary>
    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args)
        where T : IResourceWithArgs
    {
        Described(builder).Arguments.AddRange(args);
        return builder;
    }

    /// <summary>Adds an HTTP endpoint on the loopback interface.</summary>
    /// <param name="port">Port that callers use; null: a free one.</param>
    /// <param name="targetPort">Port that the process binds. Nothing stands between the two here, so they are one: the first that is given counts.</param>
    /// <param name="name">Name of the endpoint, by default <c>http</c>.</param>
    public static IResourceBuilder<T> WithHttpEndpoint<T>(this IResourceBuilder<T> builder, int? port = null, int? targetPort = null, string? name = null)
        where T : IResourceWithEndpoints
    {
        name ??= "http";
        var resource = Described(builder);
        if (resource.Endpoints.Exists(e => string.Equals(e.Name, name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new DistributedApplicationException($"Resource '{resource.Name}' has two endpoints '{name}'; give one of them another name.");
        }

        resource.Endpoints.Add(new EndpointDescription(name, "http", port ?? targetPort));
        return builder;
    }

    /// <summary>Marks the endpoints as reachable from outside when published. In run mode all stay on the loopback interface.</summary>
    public static IResourceBuilder<T> WithExternalHttpEndpoints<T>(this IResourceBuilder<T> builder)
        where T : IResourceWithEndpoints
        => builder;

    /// <summary>Refers to an endpoint that has been added before.</summary>
    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name)
        where T : IResourceWithEndpoints
    {
        ArgumentNullException.ThrowIfNull(builder);
        return new EndpointReference(builder.Resource, name);
    }

    /// <summary>The resource is healthy while all its replicas answer GET <paramref name="path"/> with <paramref name="statusCode"/>, by default 200.</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints
    {
        Described(builder).HealthChecks.Add(new HttpHealthCheckDescription(path ?? "/", statusCode ?? 200, endpointName));
        return builder;
    }

    /// <summary>Starts the resource when <paramref name="dependency"/> is healthy, and stops it before that is stopped.</summary>
    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        ArgumentNullException.ThrowIfNull(dependency);
        Described(builder).Waits.Add(new WaitDescription((Resource)dependency.Resource));
        return builder;
    }

    private static IResourceBuilder<T> AddEnvironment<T>(
        this IResourceBuilder<T> builder, Func<IDictionary<string, string>, CancellationToken, ValueTask> variables)
        where T : IResource
    {
        Described(builder).Environment.Add(variables);
        return builder;
    }

    private static Resource Described<T>(IResourceBuilder<T> builder)
        where T : IResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        return (Resource)(object)builder.Resource;
    }

    private static string VariableName(string name) => name.Replace('-', '_').ToUpperInvariant();
}
