using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>Turns failed statuses into exceptions that name the call and the library's own text.</summary>
internal static class StatusChecks
{
    /// <exception cref="CudaException">The status is not success.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Check(this CudaStatus status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status.Code != 0)
        {
            Fail(status.Code, call, Driver.Describe(status));
        }
    }

    /// <exception cref="CudaException">The status is not success.</exception>
    public static void Check(this NvrtcStatus status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status.Code != 0)
        {
            Fail(status.Code, call, Marshal.PtrToStringUTF8(Nvrtc.GetErrorString(status)) ?? "unknown");
        }
    }

    /// <exception cref="CudaException">The status is not success.</exception>
    public static void Check(this CublasStatus status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status.Code != 0)
        {
            Fail(status.Code, call, $"cuBLASLt status {status.Code}");
        }
    }

    private static void Fail(int code, string call, string reason)
    {
        int bracket = call.IndexOf('(', StringComparison.Ordinal);
        throw new CudaException(code, $"{(bracket > 0 ? call[..bracket] : call)} failed: {reason} (code {code}).");
    }
}
