using Fastgen.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Fastgen.OpenAI;

/// <summary>Maps the OpenAI API onto routes.</summary>
public static class OpenAiEndpoints
{
    private const string Read = "GET, HEAD";
    private const string Post = "POST";

    /// <summary>Serves models, chat completions and completions under <c>/v1</c> and at the root, over the <see cref="IGenerationService"/> in the services.</summary>
    /// <param name="endpoints">Usually the web application.</param>
    /// <param name="options">Null takes the configured <see cref="OpenAiOptions"/>, else the defaults.</param>
    /// <returns>All routes, to put conventions on.</returns>
    /// <remarks>Any other path under <c>/v1</c> is answered with OpenAI's 404 body. Routes answer every method, so that a wrong one gets OpenAI's 405 body.</remarks>
    public static IEndpointConventionBuilder MapOpenAi(this IEndpointRouteBuilder endpoints, OpenAiOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ApiHandler handler = CreateHandler(endpoints, options);
        RouteGroupBuilder group = endpoints.MapGroup("");
        foreach (string prefix in new[] { "/v1", "" })
        {
            group.Map(prefix + "/models/{**id}", context => handler.RunAsync(context, Read, ApiHandler.ModelsAsync));
            group.Map(prefix + "/chat/completions", context => handler.RunAsync(context, Post, handler.ChatAsync));
            group.Map(prefix + "/completions", context => handler.RunAsync(context, Post, handler.CompletionAsync));
        }

        group.Map("/v1/{**path}", context => handler.RunAsync(context, null, ApiHandler.UnknownAsync));
        return group;
    }

    /// <summary>Answers every path that nothing else serves with OpenAI's 404 body.</summary>
    public static IEndpointConventionBuilder MapOpenAiNotFound(this IEndpointRouteBuilder endpoints, OpenAiOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ApiHandler handler = CreateHandler(endpoints, options);
        // MapFallback alone would leave out paths that look like files.
        return endpoints.MapFallback("{**path}", context => handler.RunAsync(context, null, ApiHandler.UnknownAsync));
    }

    private static ApiHandler CreateHandler(IEndpointRouteBuilder endpoints, OpenAiOptions? options)
    {
        IServiceProvider services = endpoints.ServiceProvider;
        ILoggerFactory loggers = services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance;
        return new ApiHandler(
            options ?? services.GetService<IOptions<OpenAiOptions>>()?.Value ?? new OpenAiOptions(),
            loggers.CreateLogger("Fastgen.OpenAI"));
    }
}
