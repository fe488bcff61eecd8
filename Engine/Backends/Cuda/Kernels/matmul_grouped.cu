// Matrix products of many matrices of one shape, each with its own rows: output[row, outputs] = input[row, inputs] * weights[g][outputs, inputs]^T (+ biases[g]).
// In: elements; inputs a multiple of 8, outputs even, with GATED of 8; which rows are whose stands on the device. GATED: weights are [2 * outputs, inputs], gate then up, and output is gated<ACTIVATION>(gate, up).
// Grid: (tiles of outputs, at least as many tiles of rows as there are), 128 threads; CTAs past the last tile end at once.
// Source: tensor cores (mma.sync), a ring of asynchronous copies; grouped as in Gale et al. 2022 (MegaBlocks).
// Test: tests/Engine.GpuTests/Kernels/MoeParityTests.cs, tests/Engine.GpuTests/reference/moe_check.py
#include "primitives.cuh"
#include "activations.cuh"

#ifndef TOKEN_TILE
#define TOKEN_TILE 16                            // 16, 64 or 128 rows
#endif
// 0: groups are experts, their rows as sort_by_expert of moe_route.cu left them. 1: groups are heads, each with all rows, at steps of its own.
#ifndef HEADS
#define HEADS 0
#endif
#ifndef GATED
#define GATED 0
#endif
#ifndef ACTIVATION
#define ACTIVATION SILU
#endif

#define WARPS_M (TOKEN_TILE == 16 ? 1 : 2)
#define WARPS_N (4 / WARPS_M)
#define OUTPUT_TILE (TOKEN_TILE == 16 ? 64 : 128)      // rows of the weight
#define DEPTH (TOKEN_TILE == 16 ? 64 : 32)             // inputs of a stage
#define STAGES 4
#define ROW (DEPTH + 8)                                // padded by 16 bytes: ldmatrix without bank conflicts
#define CHUNKS (DEPTH / 8)
#define STAGE_ELEMS ((TOKEN_TILE + OUTPUT_TILE) * ROW)
#define WARP_ROWS (TOKEN_TILE / WARPS_M)
#define WARP_OUTPUTS (OUTPUT_TILE / WARPS_N)
#define MTILES (WARP_ROWS / 16)
#define NTILES (WARP_OUTPUTS / 8)
#define INPUT_COPIES (TOKEN_TILE * CHUNKS / 128)
#define WEIGHT_COPIES (OUTPUT_TILE * CHUNKS / 128)

extern "C" __global__ void __launch_bounds__(128) matmul_grouped(
    elem *__restrict__ output, const elem *__restrict__ input, const elem *const *__restrict__ weights, const elem *const *__restrict__ biases,
    int outputs, int inputs, int outputStride, int inputStride,
#if HEADS
    int rows, int outputStep, int inputStep
#else
    const int *__restrict__ tileGroups, const int *__restrict__ tileRows, const int *__restrict__ starts, const int *__restrict__ tileCount,
    const int *__restrict__ inputRows, float alpha, float limit     // inputRows[row]: where in the input it is; null: at the row itself
#endif
    )
{
    allow_next();
    wait_for_previous();
    extern __shared__ __align__(16) elem shared[];
#if HEADS
    const int tiles = (rows + TOKEN_TILE - 1) / TOKEN_TILE, group = blockIdx.y / tiles;
    const int first = (blockIdx.y - group * tiles) * TOKEN_TILE, end = rows;
    output += (u64)group * outputStep;
    input += (u64)group * inputStep;
    const int *inputRows = nullptr;
#else
    if ((int)blockIdx.y >= *tileCount)
        return;
    const int group = tileGroups[blockIdx.y], first = tileRows[blockIdx.y], end = starts[group + 1];
#endif
    const elem *weight = weights[group];
    const elem *bias = biases ? biases[group] : nullptr;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int firstOutput = blockIdx.x * (GATED ? OUTPUT_TILE / 2 : OUTPUT_TILE);

    const elem *inputSource[INPUT_COPIES], *weightSource[WEIGHT_COPIES];    // null: zeros
#pragma unroll
    for (int i = 0; i < INPUT_COPIES; i++)
    {
        const int c = threadIdx.x + i * 128, row = first + c / CHUNKS;
        inputSource[i] = row < end ? input + (u64)(inputRows ? inputRows[row] : row) * inputStride + c % CHUNKS * 8 : nullptr;
    }
#pragma unroll
    for (int i = 0; i < WEIGHT_COPIES; i++)
    {
        const int c = threadIdx.x + i * 128, r = c / CHUNKS;
#if GATED
        // Eight rows of gate, eight of up by turns, so that a thread holds what belongs together.
        const int column = firstOutput + (r >> 4) * 8 + (r & 7), row = column + (r & 8 ? outputs : 0);
#else
        const int column = firstOutput + r, row = column;
#endif
        weightSource[i] = column < outputs ? weight + (u64)row * inputs + c % CHUNKS * 8 : nullptr;
    }
    const u32 base = shared_address(shared);
    auto load = [&](int step, int stage) {
        const int k = step * DEPTH;
        const u32 destination = base + stage * STAGE_ELEMS * 2;
#pragma unroll
        for (int i = 0; i < INPUT_COPIES; i++)
        {
            const int c = threadIdx.x + i * 128;
            const bool valid = inputSource[i] && k + c % CHUNKS * 8 < inputs;
            copy16_async(destination + (c / CHUNKS * ROW + c % CHUNKS * 8) * 2, valid ? inputSource[i] + k : weight, valid);
        }
#pragma unroll
        for (int i = 0; i < WEIGHT_COPIES; i++)
        {
            const int c = threadIdx.x + i * 128;
            const bool valid = weightSource[i] && k + c % CHUNKS * 8 < inputs;
            copy16_async(destination + ((TOKEN_TILE + c / CHUNKS) * ROW + c % CHUNKS * 8) * 2, valid ? weightSource[i] + k : weight, valid);
        }
    };
    const int steps = (inputs + DEPTH - 1) / DEPTH;
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++)
    {
        if (s < steps)
            load(s, s);
        commit_copies();
    }

    float sums[MTILES][NTILES][4] = {};
    const int warpRow = warp / WARPS_N * WARP_ROWS, warpOutput = warp % WARPS_N * WARP_OUTPUTS;
    const u32 inputAddress = base + ((warpRow + (lane & 15)) * ROW + (lane >> 4) * 8) * 2;
    const u32 weightAddress = base + ((TOKEN_TILE + warpOutput + (lane & 7) + ((lane >> 4) << 3)) * ROW + ((lane >> 3) & 1) * 8) * 2;
    for (int step = 0; step < steps; step++)
    {
        wait_copies<STAGES - 2>();
        __syncthreads();
        // Into the stage that all have left before this barrier.
        if (step + STAGES - 1 < steps)
            load(step + STAGES - 1, (step + STAGES - 1) % STAGES);
        commit_copies();
        const u32 stage = step % STAGES * STAGE_ELEMS * 2;
#pragma unroll
        for (int k = 0; k < DEPTH / 16; k++)
        {
            u32 a[MTILES][4];
#pragma unroll
            for (int m = 0; m < MTILES; m++)
                ldmatrix4(a[m][0], a[m][1], a[m][2], a[m][3], inputAddress + stage + (m * 16 * ROW + k * 16) * 2);
#pragma unroll
            for (int n = 0; n < NTILES; n += 2)
            {
                u32 b0, b1, b2, b3;
                ldmatrix4(b0, b1, b2, b3, weightAddress + stage + (n * 8 * ROW + k * 16) * 2);
#pragma unroll
                for (int m = 0; m < MTILES; m++)
                {
                    mma(sums[m][n], a[m][0], a[m][1], a[m][2], a[m][3], b0, b1);
                    mma(sums[m][n + 1], a[m][0], a[m][1], a[m][2], a[m][3], b2, b3);
                }
            }
        }
    }
    wait_copies<0>();

#pragma unroll
    for (int m = 0; m < MTILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            const int row = first + warpRow + m * 16 + half * 8 + (lane >> 2);
            if (row >= end)
                continue;
            elem *destination = output + (u64)row * outputStride;
#if GATED
#pragma unroll
            for (int n = 0; n < NTILES; n += 2)
            {
                const int column = firstOutput + (warpOutput >> 1) + n * 4 + (lane & 3) * 2;
                if (column >= outputs)
                    continue;
                float gate[2], up[2];
#pragma unroll
                for (int j = 0; j < 2; j++)
                {
                    gate[j] = sums[m][n][half * 2 + j] + (bias ? to_float(bias[column + j]) : 0.f);
                    up[j] = sums[m][n + 1][half * 2 + j] + (bias ? to_float(bias[outputs + column + j]) : 0.f);
                }
                *reinterpret_cast<u32 *>(destination + column) = pack2(gated<ACTIVATION>(gate[0], up[0], alpha, limit), gated<ACTIVATION>(gate[1], up[1], alpha, limit));
            }
#else
#pragma unroll
            for (int n = 0; n < NTILES; n++)
            {
                const int column = firstOutput + warpOutput + n * 8 + (lane & 3) * 2;
                if (column >= outputs)
                    continue;
                *reinterpret_cast<u32 *>(destination + column) = pack2(
                    sums[m][n][half * 2] + (bias ? to_float(bias[column]) : 0.f), sums[m][n][half * 2 + 1] + (bias ? to_float(bias[column + 1]) : 0.f));
            }
#endif
        }
}
