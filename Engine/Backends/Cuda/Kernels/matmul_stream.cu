// Matrix product for up to 32 rows, bound by reading the weights: output[rows, outputs] = input[rows, inputs] * weight[outputs, inputs]^T (+ bias).
// In: input, weight, bias (elements). Out: elements, or float32 when floatOutput is set. rows <= 8 * TOKEN_TILES; inputs a multiple of 8.
// Grid: one CTA per multiprocessor, 256 threads; each takes an equal share of all boxes of 128 outputs by 64 inputs.
// Source: weights are the 16-row operand of the tensor cores; asynchronous copies into a ring in shared memory; stream-K shares (Osama et al. 2023), merged by the last CTA to arrive.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#include "primitives.cuh"

#ifndef TOKEN_TILES
#define TOKEN_TILES 1
#endif
#ifndef STAGES
#define STAGES 4
#endif

#define WARPS 8
#define TILE_OUTPUTS (WARPS * 16)
#define TILE_INPUTS 64                           // 128 bytes: one swizzled line
#define WEIGHT_BYTES (TILE_OUTPUTS * 128)
#define INPUT_ROW 144                            // bytes, padded: ldmatrix without bank conflicts
#define INPUT_BYTES (8 * TOKEN_TILES * INPUT_ROW)
#define PART_FLOATS (TILE_OUTPUTS * 8 * TOKEN_TILES)

static_assert(TOKEN_TILES == 1 || TOKEN_TILES == 2 || TOKEN_TILES == 4, "rows are loaded in pairs of tiles");

extern "C" __global__ void __launch_bounds__(WARPS * 32, 2) matmul_stream(
    void *__restrict__ output, const elem *__restrict__ input, const elem *__restrict__ weight, const elem *__restrict__ bias,
    int rows, int outputs, int inputs, int floatOutput, float *__restrict__ parts, int *__restrict__ arrivals)
{
    extern __shared__ __align__(128) unsigned char raw[];
    __shared__ int isLast;
    const u32 weightBase = shared_address(raw);
    const u32 inputBase = weightBase + STAGES * WEIGHT_BYTES;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;

    const int perTile = (inputs + TILE_INPUTS - 1) / TILE_INPUTS, total = perTile * ((outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS);
    // Shares differ by at most one box; boxes of a tile are neighbours.
    const int cta = blockIdx.x, share = total / gridDim.x, extra = total % gridDim.x;
    const int begin = cta * share + min(cta, extra), count = share + (cta < extra ? 1 : 0), end = begin + count;

    allow_next();
    wait_for_previous();
    auto issue = [&](int i, int stage) {
        if (i < count)
        {
            const int unit = begin + i, tile = unit / perTile, k0 = (unit - tile * perTile) * TILE_INPUTS;
#pragma unroll
            for (int j = threadIdx.x; j < TILE_OUTPUTS * 8; j += WARPS * 32)
            {
                const int row = tile * TILE_OUTPUTS + (j >> 3), k = k0 + (j & 7) * 8;
                const bool valid = row < outputs && k < inputs;
                copy16_async(weightBase + stage * WEIGHT_BYTES + (j >> 3) * 128 + (((j & 7) ^ ((j >> 3) & 7)) << 4), weight + (valid ? (u64)row * inputs + k : 0), valid);
            }
            for (int j = threadIdx.x; j < TOKEN_TILES * 64; j += WARPS * 32)
            {
                const int row = j >> 3, k = k0 + (j & 7) * 8;
                const bool valid = row < rows && k < inputs;
                copy16_async(inputBase + stage * INPUT_BYTES + row * INPUT_ROW + (j & 7) * 16, input + (valid ? (u64)row * inputs + k : 0), valid);
            }
        }
        commit_copies();
    };
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++)
        issue(i, i);

    const u32 weightRow = weightBase + (warp * 16 + (lane & 15)) * 128;
#if TOKEN_TILES == 1
    const u32 inputRow = inputBase + (lane & 7) * INPUT_ROW + (lane >> 3) * 16;
#else
    const u32 inputRow = inputBase + (((lane >> 4) << 3) + (lane & 7)) * INPUT_ROW + ((lane >> 3) & 1) * 16;
#endif
    float sums[TOKEN_TILES][4] = {};
    int tile = begin / perTile, tileBegin = tile * perTile, partBegin = begin;
    bool firstTile = true;
    u32 stage = 0;
    for (int unit = begin; unit < end; unit++)
    {
        wait_copies<STAGES - 2>();
        __syncthreads();
        issue(unit - begin + STAGES - 1, (stage + STAGES - 1) % STAGES);
        const u32 weightAddress = weightRow + stage * WEIGHT_BYTES, inputAddress = inputRow + stage * INPUT_BYTES;
        u32 a[4][4], b[TOKEN_TILES][4][2];
#pragma unroll
        for (int k = 0; k < 4; k++)
            ldmatrix4(a[k][0], a[k][1], a[k][2], a[k][3], weightAddress + (((2 * k + (lane >> 4)) ^ (lane & 7)) << 4));
#if TOKEN_TILES == 1
#pragma unroll
        for (int k = 0; k < 4; k += 2)
            ldmatrix4(b[0][k][0], b[0][k][1], b[0][k + 1][0], b[0][k + 1][1], inputAddress + k * 32);
#else
#pragma unroll
        for (int t = 0; t < TOKEN_TILES; t += 2)
#pragma unroll
            for (int k = 0; k < 4; k++)
                ldmatrix4(b[t][k][0], b[t][k][1], b[t + 1][k][0], b[t + 1][k][1], inputAddress + t * 8 * INPUT_ROW + k * 32);
#endif
#pragma unroll
        for (int k = 0; k < 4; k++)
#pragma unroll
            for (int t = 0; t < TOKEN_TILES; t++)
                mma(sums[t], a[k][0], a[k][1], a[k][2], a[k][3], b[t][k][0], b[t][k][1]);
        stage = stage + 1 == STAGES ? 0 : stage + 1;

        const bool tileEnds = unit + 1 == tileBegin + perTile;
        if (!tileEnds && unit + 1 < end)
            continue;

        bool store = true;
        if (partBegin != tileBegin || !tileEnds)
        {
            // The tile is shared: leave this part, and whoever comes last adds them all up, in order.
            const int wide = extra * (share + 1);
            auto owner = [&](int u) { return u < wide ? u / (share + 1) : extra + (u - wide) / share; };
            const int first = owner(tileBegin), last = owner(tileBegin + perTile - 1);
            float4 *part = reinterpret_cast<float4 *>(parts + (u64)(cta * 2 + (firstTile ? 0 : 1)) * PART_FLOATS) + threadIdx.x;
#pragma unroll
            for (int t = 0; t < TOKEN_TILES; t++)
                part[t * WARPS * 32] = make_float4(sums[t][0], sums[t][1], sums[t][2], sums[t][3]);
            __threadfence();
            __syncthreads();
            if (threadIdx.x == 0)
            {
                isLast = atomicAdd(arrivals + tile, 1) == last - first;
                if (isLast)
                    arrivals[tile] = 0;
            }
            __syncthreads();
            store = isLast;
            if (store)
            {
                __threadfence();
#pragma unroll
                for (int t = 0; t < TOKEN_TILES; t++)
                    sums[t][0] = sums[t][1] = sums[t][2] = sums[t][3] = 0.f;
                // The tile is the first of every CTA but the one it starts in, unless it starts there exactly.
                const bool startsInside = first * share + min(first, extra) < tileBegin;
#pragma unroll 4
                for (int c = first; c <= last; c++)
                {
                    const float4 *other = reinterpret_cast<const float4 *>(parts + (u64)(c * 2 + (c == first && startsInside ? 1 : 0)) * PART_FLOATS) + threadIdx.x;
#pragma unroll
                    for (int t = 0; t < TOKEN_TILES; t++)
                    {
                        const float4 v = __ldcg(other + t * WARPS * 32);
                        sums[t][0] += v.x, sums[t][1] += v.y, sums[t][2] += v.z, sums[t][3] += v.w;
                    }
                }
            }
        }
        if (store)
        {
#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                const int column = tile * TILE_OUTPUTS + warp * 16 + half * 8 + (lane >> 2);
                const float shift = bias && column < outputs ? to_float(bias[column]) : 0.f;
#pragma unroll
                for (int t = 0; t < TOKEN_TILES; t++)
#pragma unroll
                    for (int j = 0; j < 2; j++)
                    {
                        const int row = t * 8 + (lane & 3) * 2 + j;
                        const float sum = sums[t][half * 2 + j] + shift;
                        if (row >= rows || column >= outputs)
                            continue;
                        if (floatOutput)
                            reinterpret_cast<float *>(output)[(u64)row * outputs + column] = sum;
                        else
                            reinterpret_cast<elem *>(output)[(u64)row * outputs + column] = from_float(sum);
                    }
            }
        }
#pragma unroll
        for (int t = 0; t < TOKEN_TILES; t++)
            sums[t][0] = sums[t][1] = sums[t][2] = sums[t][3] = 0.f;
        tile++;
        tileBegin += perTile;
        partBegin = tileBegin;
        firstTile = false;
    }
    wait_copies<0>();
}
