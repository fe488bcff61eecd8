using System.Runtime.CompilerServices;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A kernel that can be launched. Arguments travel as 8-byte cells; the kernel reads as many low bytes as its parameter has.</summary>
/// <param name="overlaps">Starts while the kernel before it ends; such a kernel calls wait_for_previous before it touches another's data.</param>
internal readonly unsafe struct CudaKernel(nint function, int sharedBytes, bool overlaps)
{
    private const int MaxArguments = 24;

    /// <summary>Queues the kernel on the stream. Nothing is allocated.</summary>
    public void Launch(nint stream, int gridX, int gridY, int threads, params ReadOnlySpan<KernelArgument> arguments) =>
        Launch(stream, gridX, gridY, threads, null, arguments);

    /// <summary>The same for a kernel whose first parameter is a structure.</summary>
    /// <param name="structure">Host memory of the structure, copied by this call; null for none.</param>
    public void Launch(nint stream, int gridX, int gridY, int threads, void* structure, params ReadOnlySpan<KernelArgument> arguments)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(arguments.Length, MaxArguments);
        void** pointers = stackalloc void*[MaxArguments + 1];
        int leading = structure != null ? 1 : 0;
        pointers[0] = structure;
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i + leading] = first + i;
            }

            CudaStatus status = overlaps ? LaunchOverlapping(stream, gridX, gridY, threads, pointers) : Driver.LaunchKernel(function, (uint)gridX, (uint)gridY, 1, (uint)threads, 1, 1, (uint)sharedBytes, stream, pointers, null);
            if (status.Code != 0)
            {
                Fail(status, gridX, gridY, threads);
            }
        }
    }

    /// <summary>How many clusters of so many CTAs the device holds at once.</summary>
    public int ActiveClusters(int size, int threads)
    {
        Driver.LaunchAttribute attribute = new() { Id = Driver.LaunchAttribute.ClusterDimension, Value = size, SecondValue = 1, ThirdValue = 1 };
        Driver.LaunchConfig config = new()
        {
            GridX = (uint)size,
            GridY = 1,
            GridZ = 1,
            BlockX = (uint)threads,
            BlockY = 1,
            BlockZ = 1,
            SharedBytes = (uint)sharedBytes,
            Attributes = &attribute,
            AttributeCount = 1,
        };
        int count;
        Driver.OccupancyMaxActiveClusters(&count, function, &config).Check();
        return count;
    }

    private CudaStatus LaunchOverlapping(nint stream, int gridX, int gridY, int threads, void** pointers)
    {
        Driver.LaunchAttribute attribute = new() { Id = Driver.LaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
        Driver.LaunchConfig config = new()
        {
            GridX = (uint)gridX,
            GridY = (uint)gridY,
            GridZ = 1,
            BlockX = (uint)threads,
            BlockY = 1,
            BlockZ = 1,
            SharedBytes = (uint)sharedBytes,
            Stream = stream,
            Attributes = &attribute,
            AttributeCount = 1,
        };
        return Driver.LaunchKernelEx(&config, function, pointers, null);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Fail(CudaStatus status, int gridX, int gridY, int threads)
        => throw new CudaException(status.Code, $"Kernel launch of ({gridX}, {gridY}) x {threads} failed: {Driver.Describe(status)}.");
}
