using System.Diagnostics;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Tools.FgBench.Gpu;

/// <summary>Times what is queued on a device's stream, by the device's own clock.</summary>
internal static unsafe class GpuTimer
{
    private const double SustainSeconds = 2;
    private const int CallsOfGroup = 10;
    private const int Groups = 15;

    /// <summary>Seconds per call over some seconds of calls, the first third not counted: the card has settled at its power limit.</summary>
    public static double Sustained(CudaDevice device, Action call)
    {
        call();
        device.Synchronize();
        Stopwatch watch = Stopwatch.StartNew();
        call();
        device.Synchronize();
        int calls = (int)Math.Clamp(SustainSeconds / watch.Elapsed.TotalSeconds, 3, 20000);
        for (int i = 0; i < calls / 3; i++)
        {
            call();
        }

        return Span(device, () => Repeat(call, calls)) / calls;
    }

    /// <summary>Seconds per call: the median of some groups of calls that follow each other closely.</summary>
    public static double Median(CudaDevice device, Action call)
    {
        Repeat(call, CallsOfGroup);
        double[] seconds = new double[Groups];
        for (int i = 0; i < Groups; i++)
        {
            seconds[i] = Span(device, () => Repeat(call, CallsOfGroup)) / CallsOfGroup;
        }

        Array.Sort(seconds);
        return seconds[Groups / 2];
    }

    /// <summary>Seconds between the first and the last of what an action queues; waits for its end.</summary>
    public static double Span(CudaDevice device, Action queue)
    {
        nint start, end;
        Driver.EventCreate(&start, 0).Check();
        Driver.EventCreate(&end, 0).Check();
        try
        {
            Driver.EventRecord(start, device.Stream).Check();
            queue();
            Driver.EventRecord(end, device.Stream).Check();
            Driver.EventSynchronize(end).Check();
            float milliseconds;
            Driver.EventElapsedTime(&milliseconds, start, end).Check();
            return milliseconds / 1e3;
        }
        finally
        {
            Driver.EventDestroy(start);
            Driver.EventDestroy(end);
        }
    }

    private static void Repeat(Action call, int calls)
    {
        for (int i = 0; i < calls; i++)
        {
            call();
        }
    }
}
