// Reads memory as fast as the card allows: the ceiling that bandwidth-bound kernels are measured against.
// In: data [count] 16-byte words. Out: sum [1], so that the reads are not optimised away.
// Grid: a few CTAs per multiprocessor, 512 threads, grid-stride, four loads in flight per thread.
// Source: none.
// Test: fgbench kernels prints it; a figure above the card's data sheet would be wrong.
#include "primitives.cuh"

extern "C" __global__ void __launch_bounds__(512) read_all(u32 *__restrict__ sum, const uint4 *__restrict__ data, u64 count)
{
    u32 total = 0;
    u64 stride = (u64)gridDim.x * blockDim.x;
    u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    for (; i + 3 * stride < count; i += 4 * stride)
    {
        uint4 a = __ldg(data + i), b = __ldg(data + i + stride), c = __ldg(data + i + 2 * stride), d = __ldg(data + i + 3 * stride);
        total ^= a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w ^ c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^ d.w;
    }
    for (; i < count; i += stride)
    {
        uint4 a = __ldg(data + i);
        total ^= a.x ^ a.y ^ a.z ^ a.w;
    }
    if (total == 0x12345678u)
        *sum = total;
}
