// Matrix product of 1 to 4 rows on the CUDA cores, with what stands before and after it in a decode step done in passing:
// output[ROWS, outputs] = input[ROWS, inputs] * weight[outputs, inputs]^T (+ bias). All elements, or float32 output when floatOutput is set. inputs a multiple of 8.
// Grid: any number of CTAs of 256 threads; each warp takes pairs of weight rows in turn and reads 512 bytes of a row with one instruction.
// Source: register ring of loads that never runs dry; the weights' first loads are sent before the kernel before has ended.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#include "primitives.cuh"
#include "fused_product.cuh"

#ifndef ROWS
#define ROWS 1
#endif
#ifndef CTAS
#define CTAS 2                                   // of a multiprocessor: 64 KB or more on their way
#endif

#define WARPS 8
#define DEPTH 4                                  // loads in flight of each of the two rows
#define SPAN (DEPTH * 256)                       // inputs that a warp takes of a row in one turn of its ring

__device__ __forceinline__ void multiply_add(float &sum, const uint4 &a, const uint4 &b)
{
    sum = fmaf(low_half(a.x), low_half(b.x), sum);
    sum = fmaf(high_half(a.x), high_half(b.x), sum);
    sum = fmaf(low_half(a.y), low_half(b.y), sum);
    sum = fmaf(high_half(a.y), high_half(b.y), sum);
    sum = fmaf(low_half(a.z), low_half(b.z), sum);
    sum = fmaf(high_half(a.z), high_half(b.z), sum);
    sum = fmaf(low_half(a.w), low_half(b.w), sum);
    sum = fmaf(high_half(a.w), high_half(b.w), sum);
}

// Rows of the weight that belong together.
__device__ __forceinline__ void rows_of(int pair, int outputs, int &first, int &second)
{
#if EPILOGUE == 1
    first = pair, second = pair + outputs / 2;
#elif EPILOGUE == 2
    const int head = pair / (HEAD_DIM / 2);
    first = head * HEAD_DIM + (pair - head * (HEAD_DIM / 2)), second = first + HEAD_DIM / 2;
#else
    first = 2 * pair, second = first + 1;
#endif
}

extern "C" __global__ void __launch_bounds__(WARPS * 32, CTAS) matvec(
    void *output, const elem *input, const elem *__restrict__ weight, const elem *__restrict__ bias,
    int outputs, int inputs, int floatOutput, const elem *__restrict__ normWeight, float epsilon,
    elem *__restrict__ keys, elem *__restrict__ values, const float2 *__restrict__ cosSin,
    const int *__restrict__ positions, const int *__restrict__ slots, int heads, int kvHeads)
{
    extern __shared__ __align__(16) elem x[];    // [ROWS, inputs]
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int pairs = (outputs + 1) / 2, turns = (inputs + SPAN - 1) / SPAN, stride = gridDim.x * WARPS;
    const uint4 zero = make_uint4(0, 0, 0, 0);
    uint4 ring[2][DEPTH];
    const int chunks = inputs / 8;
    u32 row[2], nextRow[2] = {};                 // in chunks of 8 elements

    auto aim = [&](u32 (&at)[2], int pair) {
        int first, second;
        rows_of(pair, outputs, first, second);
        at[0] = (u32)first * chunks;
        // An odd number of outputs: the last row is read twice and its second sum dropped.
        at[1] = (u32)(second < outputs ? second : first) * chunks;
    };
    auto load = [&](u32 at) { return load_streaming(weight + (u64)at * 8); };
    int pair = blockIdx.x * WARPS + warp;
    if (pair < pairs)
    {
        aim(row, pair);
#pragma unroll
        for (int i = 0; i < DEPTH; i++)
        {
            const int c = i * 32 + lane;
            ring[0][i] = c < chunks ? load(row[0] + c) : zero;
            ring[1][i] = c < chunks ? load(row[1] + c) : zero;
        }
    }
    allow_next();
    wait_for_previous();

    const uint4 *source = reinterpret_cast<const uint4 *>(input);
    uint4 *staged = reinterpret_cast<uint4 *>(x);
#if NORM
    __shared__ float partial[ROWS][WARPS];
    float squares[ROWS];
#pragma unroll
    for (int m = 0; m < ROWS; m++)
    {
        squares[m] = 0.f;
        for (int c = threadIdx.x; c < chunks; c += WARPS * 32)
        {
            const uint4 v = source[m * chunks + c];
            staged[m * chunks + c] = v;
            multiply_add(squares[m], v, v);
        }
        squares[m] = warp_sum(squares[m]);
        if (lane == 0)
            partial[m][warp] = squares[m];
    }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < ROWS; m++)
    {
        float sum = 0.f;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
            sum += partial[m][w];
        squares[m] = rsqrtf(sum / inputs + epsilon);
    }
#if NORM == 1
    for (int c = threadIdx.x; c < chunks; c += WARPS * 32)
    {
        const uint4 g = reinterpret_cast<const uint4 *>(normWeight)[c];
#pragma unroll
        for (int m = 0; m < ROWS; m++)
        {
            const uint4 v = staged[m * chunks + c];
            const float scale = squares[m];
            staged[m * chunks + c] = make_uint4(
                pack2(low_half(v.x) * scale * low_half(g.x), high_half(v.x) * scale * high_half(g.x)),
                pack2(low_half(v.y) * scale * low_half(g.y), high_half(v.y) * scale * high_half(g.y)),
                pack2(low_half(v.z) * scale * low_half(g.z), high_half(v.z) * scale * high_half(g.z)),
                pack2(low_half(v.w) * scale * low_half(g.w), high_half(v.w) * scale * high_half(g.w)));
        }
    }
#endif
#else
    for (int c = threadIdx.x; c < ROWS * chunks; c += WARPS * 32)
        staged[c] = source[c];
#endif
    __syncthreads();

    while (pair < pairs)
    {
        const int nextPair = pair + stride;
        if (nextPair < pairs)
            aim(nextRow, nextPair);
        float sums[2][ROWS] = {};
        for (int turn = 0; turn < turns; turn++)
        {
            // The ring is filled again with the next turn, or with the first of the next pair.
            const bool last = turn + 1 == turns;
            const int nextChunk = last ? 0 : (turn + 1) * (SPAN / 8);
            const int limit = last && nextPair >= pairs ? 0 : chunks;
            const u32 next0 = last ? nextRow[0] : row[0], next1 = last ? nextRow[1] : row[1];
#pragma unroll
            for (int i = 0; i < DEPTH; i++)
            {
                const int c = turn * (SPAN / 8) + i * 32 + lane, n = nextChunk + i * 32 + lane;
                const uint4 a = ring[0][i], b = ring[1][i];
                ring[0][i] = n < limit ? load(next0 + n) : zero;
                ring[1][i] = n < limit ? load(next1 + n) : zero;
                if (c < chunks)
                {
#pragma unroll
                    for (int m = 0; m < ROWS; m++)
                    {
                        const uint4 v = staged[m * chunks + c];
                        multiply_add(sums[0][m], a, v);
                        multiply_add(sums[1][m], b, v);
                    }
                }
            }
        }

        float low = 0.f, high = 0.f;             // lane m finishes row m
#pragma unroll
        for (int m = 0; m < ROWS; m++)
        {
            const float a = warp_sum(sums[0][m]), b = warp_sum(sums[1][m]);
            if (lane == m)
#if NORM == 2
                low = a * squares[m], high = b * squares[m];
#else
                low = a, high = b;
#endif
        }
        if (lane < ROWS)
        {
            int first, second;
            rows_of(pair, outputs, first, second);
            if (bias)
            {
                low += to_float(bias[first]);
                high += second < outputs ? to_float(bias[second]) : 0.f;
            }
#if EPILOGUE == 1
            reinterpret_cast<elem *>(output)[(u64)lane * (outputs / 2) + pair] = from_float(gated<SILU>(low, high, 0.f, 0.f));
#elif EPILOGUE == 2
            const int head = first / HEAD_DIM, d = first % HEAD_DIM;
            if (head < heads + kvHeads)
            {
                const float2 t = cosSin[(u64)positions[lane] * (HEAD_DIM / 2) + d];
                const float a = low, b = high;
                low = a * t.x - b * t.y;
                high = b * t.x + a * t.y;
            }
            elem *destination = reinterpret_cast<elem *>(output) + (u64)lane * outputs + head * HEAD_DIM;
            int swizzle = 0;
            if (head >= heads)
            {
                const int slot = slots[lane];
                destination = (head < heads + kvHeads ? keys : values) + cache_offset(slot, (head - heads) % kvHeads, kvHeads);
                swizzle = cache_swizzle(slot);
            }
            destination[d ^ swizzle] = from_float(low);
            destination[(d + HEAD_DIM / 2) ^ swizzle] = from_float(high);
#elif EPILOGUE == 3
            elem *destination = reinterpret_cast<elem *>(output) + (u64)lane * outputs;
            destination[first] = from_float(to_float(destination[first]) + low);
            if (second < outputs)
                destination[second] = from_float(to_float(destination[second]) + high);
#else
            const u64 at = (u64)lane * outputs;
            if (floatOutput)
            {
                reinterpret_cast<float *>(output)[at + first] = low;
                if (second < outputs)
                    reinterpret_cast<float *>(output)[at + second] = high;
            }
            else
            {
                reinterpret_cast<elem *>(output)[at + first] = from_float(low);
                if (second < outputs)
                    reinterpret_cast<elem *>(output)[at + second] = from_float(high);
            }
#endif
        }
        pair = nextPair;
        row[0] = nextRow[0], row[1] = nextRow[1];
    }
}
