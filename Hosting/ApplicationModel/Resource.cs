namespace Aspire.Hosting.ApplicationModel;

/// <summary>Base of all resources; holds what the builder's extension methods said about it.</summary>
public abstract class Resource : IResource
{
    private protected Resource(string name)
    {
        if (string.IsNullOrEmpty(name) || name.Length > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') || !char.IsAsciiLetter(name[0]))
        {
            throw new ArgumentException($"Resource name '{name}' is not allowed; use 1 to 64 ASCII letters, digits and hyphens, a letter first.", nameof(name));
        }

        Name = name;
    }

    /// <inheritdoc />
    public string Name { get; }

    internal List<EndpointDescription> Endpoints { get; } = [];

    /// <summary>Variables in the order in which they were given; a later one of the same name wins.</summary>
    internal List<Func<IDictionary<string, string>, CancellationToken, ValueTask>> Environment { get; } = [];

    internal List<string> Arguments { get; } = [];

    internal List<WaitDescription> Waits { get; } = [];

    internal List<HttpHealthCheckDescription> HealthChecks { get; } = [];

    internal int Replicas { get; set; } = 1;
}
