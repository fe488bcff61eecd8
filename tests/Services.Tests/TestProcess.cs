using System.Runtime.CompilerServices;

namespace Fastgen.Services.Tests;

/// <summary>What holds for the process of the tests and for all that it starts.</summary>
internal static class TestProcess
{
    /// <summary>Nobody edits appsettings.json meanwhile, and watching it takes one of the few inotify instances that all programs of a user share.</summary>
    [ModuleInitializer]
    internal static void Prepare() => Environment.SetEnvironmentVariable("DOTNET_HOSTBUILDER__RELOADCONFIGONCHANGE", "false");
}
