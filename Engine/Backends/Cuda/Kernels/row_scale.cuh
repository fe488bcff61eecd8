// What is left of a norm whose weight is part of the next product's matrix: the factor 1 / rms of each row, and how the product's sums take it.
// Test: tests/Engine.GpuTests/Kernels/KernelParityTests.cs, FoldedNormTests.cs
#pragma once

__device__ __forceinline__ float block_sum(float x)
{
    __shared__ float partial[32];
    x = warp_sum(x);
    if ((threadIdx.x & 31) == 0)
        partial[threadIdx.x >> 5] = x;
    __syncthreads();
    float y = threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0.f;
    if (threadIdx.x < 32)
    {
        y = warp_sum(y);
        if (threadIdx.x == 0)
            partial[0] = y;
    }
    __syncthreads();
    return partial[0];
}

// 1 / rms of a row that all threads of the CTA read: what is left of a norm whose weight is part of the next product's.
__device__ __forceinline__ float row_scale(const elem *row, int hidden, float epsilon)
{
    const uint4 *source = reinterpret_cast<const uint4 *>(row);
    float squares = 0.f;
    for (int i = threadIdx.x; i < hidden / 8; i += blockDim.x)
    {
        const uint4 v = source[i];
        squares += squares_of(v.x) + squares_of(v.y) + squares_of(v.z) + squares_of(v.w);
    }
    return rsqrtf(block_sum(squares) / hidden + epsilon);
}

// Two elements of a product with what is still to come of it; bias may be null.
__device__ __forceinline__ float2 finished(u32 x, float scale, const elem *bias, int at)
{
    const float2 v = make_float2(low_half(x), high_half(x));
    const u32 b = bias ? *reinterpret_cast<const u32 *>(bias + at) : 0;
    return make_float2(fmaf(v.x, scale, low_half(b)), fmaf(v.y, scale, high_half(b)));
}
