// Matrix product for a few rows, bound by reading the weights: output[rows, outputs] = input[rows, inputs] * weight[outputs, inputs]^T (+ bias).
// In: input, weight, bias (elements). Out: elements, or float32 when floatOutput is set. rows <= 8 * TOKEN_TILES; inputs a multiple of 8.
// Grid: outputs / 16 rounded up, 256 threads: a CTA has 16 outputs, its 8 warps take turns along the inputs and add up at the end.
// Source: tensor cores with the weights as the 16-row operand; the order of the summed dimension is free, so each lane reads 16 bytes in a row.
// Test: tests/Engine.GpuTests/SkinnyMatmulTests.cs
#include "primitives.cuh"

#ifndef TOKEN_TILES
#define TOKEN_TILES 1
#endif

#define WARPS 8
#define UNROLL 4
#define STEP 32                                  // inputs that a warp takes at a time: 64 bytes of each of 16 weight rows
#define SPAN (WARPS * UNROLL * STEP)

extern "C" __global__ void __launch_bounds__(WARPS * 32, 2) matmul_skinny(
    void *__restrict__ output, const elem *__restrict__ input, const elem *__restrict__ weight, const elem *__restrict__ bias,
    int rows, int outputs, int inputs, int floatOutput)
{
    __shared__ float partial[WARPS][16][8 * TOKEN_TILES];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int group = lane >> 2, quarter = lane & 3;
    const int first = blockIdx.x * 16;
    const bool low = first + group < outputs, high = first + group + 8 < outputs;
    const elem *weightLow = weight + (u64)(first + group) * inputs + quarter * 8;
    const elem *weightHigh = weightLow + (u64)8 * inputs;
    const uint4 zero = make_uint4(0, 0, 0, 0);

    uint4 a[UNROLL], b[UNROLL];
    auto load = [&](int span) {
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
        {
            int k = span + (u * WARPS + warp) * STEP;
            bool inside = k + quarter * 8 < inputs;
            a[u] = inside && low ? load_streaming(weightLow + k) : zero;
            b[u] = inside && high ? load_streaming(weightHigh + k) : zero;
        }
    };
    load(0);                                     // weights do not depend on the kernel before
    wait_for_previous();
    allow_next();

    float sums[TOKEN_TILES][4] = {};
    for (int span = 0; span < inputs; span += SPAN)
    {
        uint4 currentA[UNROLL], currentB[UNROLL], x[UNROLL][TOKEN_TILES];
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
        {
            currentA[u] = a[u], currentB[u] = b[u];
            int k = span + (u * WARPS + warp) * STEP + quarter * 8;
#pragma unroll
            for (int t = 0; t < TOKEN_TILES; t++)
            {
                int row = t * 8 + group;
                x[u][t] = k < inputs && row < rows ? *reinterpret_cast<const uint4 *>(input + (u64)row * inputs + k) : zero;
            }
        }
        if (span + SPAN < inputs)
            load(span + SPAN);
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
#pragma unroll
            for (int t = 0; t < TOKEN_TILES; t++)
            {
                mma(sums[t], currentA[u].x, currentB[u].x, currentA[u].y, currentB[u].y, x[u][t].x, x[u][t].y);
                mma(sums[t], currentA[u].z, currentB[u].z, currentA[u].w, currentB[u].w, x[u][t].z, x[u][t].w);
            }
    }

#pragma unroll
    for (int t = 0; t < TOKEN_TILES; t++)
    {
        *reinterpret_cast<float2 *>(&partial[warp][group][t * 8 + quarter * 2]) = make_float2(sums[t][0], sums[t][1]);
        *reinterpret_cast<float2 *>(&partial[warp][group + 8][t * 8 + quarter * 2]) = make_float2(sums[t][2], sums[t][3]);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < 16 * 8 * TOKEN_TILES; i += WARPS * 32)
    {
        int column = i & 15, row = i >> 4;
        if (row >= rows || first + column >= outputs)
            continue;
        float sum = bias ? to_float(bias[first + column]) : 0.f;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
            sum += partial[w][column][row];
        u64 at = (u64)row * outputs + first + column;
        if (floatOutput)
            reinterpret_cast<float *>(output)[at] = sum;
        else
            reinterpret_cast<elem *>(output)[at] = from_float(sum);
    }
}
