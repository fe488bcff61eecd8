using Fastgen.Engine.Backends.Cuda;

// One device: tests beside each other would see each other's memory.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Fastgen.Engine.GpuTests;

/// <summary>Says whether this machine can run the tests.</summary>
internal static class Gpu
{
    /// <summary>Skips the test with a reason where there is no GPU; fails instead where FASTGEN_REQUIRE_GPU=1.</summary>
    public static void Require()
    {
        if (CudaDevice.Count(out string? reason) > 0)
        {
            return;
        }

        if (Environment.GetEnvironmentVariable("FASTGEN_REQUIRE_GPU") == "1")
        {
            Assert.Fail($"FASTGEN_REQUIRE_GPU=1, but {reason}.");
        }

        Assert.Skip($"No GPU: {reason}.");
    }
}
