using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fastgen.Engine.Backends.Cpu;

namespace Fastgen.Tools.FgBench;

/// <summary>What this machine gives with all its cores: memory bandwidth and fused multiply-adds.</summary>
internal static class MachineCeilings
{
    private const long BufferBytes = 512L << 20;

    private const int PieceBytes = 1 << 20;

    /// <summary>Bytes read plus bytes written per second by copying a large buffer.</summary>
    public static double CopyBytesPerSecond(WorkerPool pool, double budgetSeconds)
    {
        using var source = NativeBuffer.AllocateZeroed(BufferBytes);
        using var destination = NativeBuffer.AllocateZeroed(BufferBytes);
        var job = new CopyJob(source, destination);
        return 2 * BufferBytes / BestOf.Seconds(budgetSeconds, () => pool.Run(job, (int)(BufferBytes / PieceBytes))).Best;
    }

    /// <summary>Bytes per second by reading a large buffer.</summary>
    public static double ReadBytesPerSecond(WorkerPool pool, double budgetSeconds)
    {
        using var source = NativeBuffer.AllocateZeroed(BufferBytes);
        var job = new ReadJob(source);
        return BufferBytes / BestOf.Seconds(budgetSeconds, () => pool.Run(job, (int)(BufferBytes / PieceBytes))).Best;
    }

    /// <summary>Floating-point operations per second of a loop of independent fp32 multiply-adds in registers.</summary>
    public static double FlopsPerSecond(WorkerPool pool, double budgetSeconds)
    {
        var job = new MultiplyAddJob();
        var items = pool.ThreadCount * 4;
        return items * MultiplyAddJob.FlopsPerItem / BestOf.Seconds(budgetSeconds, () => pool.Run(job, items)).Best;
    }

    private sealed unsafe class CopyJob(NativeBuffer source, NativeBuffer destination) : KernelJob
    {
        public override void Execute(int item, int worker) =>
            Buffer.MemoryCopy(source.Pointer + ((nint)item * PieceBytes), destination.Pointer + ((nint)item * PieceBytes), PieceBytes, PieceBytes);
    }

    private sealed unsafe class ReadJob(NativeBuffer source) : KernelJob
    {
        private int _sink;

        public override void Execute(int item, int worker)
        {
            // Four streams, as the decode kernel reads.
            var start = source.Pointer + ((nint)item * PieceBytes);
            Vector512<int> a = default, b = default, c = default, d = default;
            const int Quarter = PieceBytes / 4;
            for (var i = 0; i < Quarter; i += 64)
            {
                a |= Vector512.Load((int*)(start + i));
                b |= Vector512.Load((int*)(start + Quarter + i));
                c |= Vector512.Load((int*)(start + (2 * Quarter) + i));
                d |= Vector512.Load((int*)(start + (3 * Quarter) + i));
            }

            if ((a | b | c | d) != Vector512<int>.Zero)
            {
                Interlocked.Increment(ref _sink);
            }
        }
    }

    private sealed class MultiplyAddJob : KernelJob
    {
        private const int Rounds = 2_000_000;

        private float _sink;

        public static double FlopsPerItem => Rounds * 12.0 * (Vector512.IsHardwareAccelerated ? 16 : 8) * 2;

        public override void Execute(int item, int worker)
        {
            var sum = Vector512.IsHardwareAccelerated ? Loop<Simd512, Vector512<float>>() : Loop<Simd256, Vector256<float>>();
            if (float.IsNaN(sum))
            {
                _sink = sum;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Loop<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            var x = TSimd.Broadcast(0.999f);
            var y = TSimd.Broadcast(0.001f);
            TVector a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, k = y, l = y, m = y, n = y;
            for (var i = 0; i < Rounds; i++)
            {
                a = TSimd.MultiplyAdd(a, x, y);
                b = TSimd.MultiplyAdd(b, x, y);
                c = TSimd.MultiplyAdd(c, x, y);
                d = TSimd.MultiplyAdd(d, x, y);
                e = TSimd.MultiplyAdd(e, x, y);
                f = TSimd.MultiplyAdd(f, x, y);
                g = TSimd.MultiplyAdd(g, x, y);
                h = TSimd.MultiplyAdd(h, x, y);
                k = TSimd.MultiplyAdd(k, x, y);
                l = TSimd.MultiplyAdd(l, x, y);
                m = TSimd.MultiplyAdd(m, x, y);
                n = TSimd.MultiplyAdd(n, x, y);
            }

            var left = TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d));
            var middle = TSimd.Add(TSimd.Add(e, f), TSimd.Add(g, h));
            var right = TSimd.Add(TSimd.Add(k, l), TSimd.Add(m, n));
            return TSimd.Sum(TSimd.Add(TSimd.Add(left, middle), right));
        }
    }
}
