using System.Globalization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Memory that can be taken without pushing other programs out.</summary>
internal static class AvailableMemory
{
    public static long Bytes()
    {
        var info = GC.GetGCMemoryInfo();
        var limit = info.TotalAvailableMemoryBytes - Math.Min(info.MemoryLoadBytes, info.TotalAvailableMemoryBytes);
        return OperatingSystem.IsLinux() && FromProc() is { } available ? Math.Min(available, info.TotalAvailableMemoryBytes) : limit;
    }

    private static long? FromProc()
    {
        // proc(5): kB, page cache that can be dropped included.
        foreach (var line in File.Exists("/proc/meminfo") ? File.ReadLines("/proc/meminfo") : [])
        {
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
            {
                var number = line["MemAvailable:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim();
                return long.TryParse(number, CultureInfo.InvariantCulture, out var kilobytes) ? kilobytes * 1024 : null;
            }
        }

        return null;
    }
}
