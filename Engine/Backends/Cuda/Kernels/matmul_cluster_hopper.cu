// Matrix product for up to 64 rows, bound by reading the weights: output[rows, outputs] = input[rows, inputs] * weight[outputs, inputs]^T (+ bias).
// In: tensor maps of weight and input, bias (elements). Out: elements, or float32 when floatOutput is set; EPILOGUE says what else becomes of the sums. rows <= TOKENS; inputs a multiple of 8.
// Grid: clusters of four CTAs of 416 threads (8 warps multiply, 4 finish, 1 copies). A cluster takes an equal share of all units of 32 outputs, each of its CTAs a quarter of the inputs.
// Source: weights are the 64-row operand of wgmma; bulk copies into a ring; the four partial sums of a unit meet in the shared memory of one CTA, so nothing goes through device memory.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#include "primitives.cuh"
#include "hopper.cuh"

#ifndef TOKENS
#define TOKENS 8                                 // 8, 16, 32 or 64
#endif
#ifndef STAGES
#define STAGES (TOKENS == 8 ? 6 : TOKENS == 16 ? 5 : TOKENS == 32 ? 4 : 3)    // two kernels fit a multiprocessor, so that the next one's ring fills while this one ends
#endif
// As in matvec.cu. 0: store. 1: silu(gate) * up, output [rows, outputs / 2]. 2: rotate queries and keys, store keys and values to the cache. 3: add to output.
// For 1 and 2 the map of the weights brings rows that belong together 8 apart: 8 of the first half, 8 of the second, and so on.
#ifndef EPILOGUE
#define EPILOGUE 0
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 64
#endif

#define CLUSTER 4
#define WARPS 8                                  // that multiply
#define FINISHERS 4
#define UNIT 32                                  // outputs whose sums one CTA of the cluster finishes
#define TILE_INPUTS 64                           // 128 bytes: one swizzled line
#define UNIT_BYTES (UNIT * 128)
#define WEIGHT_BYTES (CLUSTER * UNIT_BYTES)
#define INPUT_BYTES (TOKENS * 128)
#define GROUPS (TOKENS / 8)                      // of 8 rows: four sums of a thread
#define SUM_ROW (TOKENS == 8 ? 8 : TOKENS + 8)   // floats: no bank conflicts when a warp writes 8 outputs
#define SUM_BYTES (CLUSTER * UNIT * SUM_ROW * 4)
#define HALF_HEAD (HEAD_DIM / 2)

static_assert(EPILOGUE != 2 || HEAD_DIM % UNIT == 0, "a unit lies in one head");

struct alignas(64) TensorMaps
{
    unsigned char weight[128];
    unsigned char input[128];
};

extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__((WARPS + FINISHERS + 1) * 32, TOKENS == 64 ? 1 : 2) matmul_cluster_hopper(
    const __grid_constant__ TensorMaps maps,
    void *output, const elem *__restrict__ bias, int rows, int outputs, int inputs, int floatOutput,
    elem *__restrict__ keys, elem *__restrict__ values, const float2 *__restrict__ cosSin,
    const int *__restrict__ positions, const int *__restrict__ slots, int heads, int kvHeads)
{
    extern __shared__ __align__(1024) unsigned char raw[];
    const u32 weightBase = (shared_address(raw) + 1023) & ~1023u;
    const u32 inputBase = weightBase + STAGES * WEIGHT_BYTES, sumBase = inputBase + STAGES * INPUT_BYTES;
    // full, empty: of a stage. ready: all partial sums are here. room[i]: CTA i has read the last ones.
    const u32 full = sumBase + SUM_BYTES, empty = full + STAGES * 8, ready = empty + STAGES * 8, room = ready + 8;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const u32 rank = cluster_rank();

    const int units = (outputs + UNIT - 1) / UNIT, clusters = gridDim.x / CLUSTER, cluster = blockIdx.x / CLUSTER;
    const int firstUnit = (int)((long long)units * cluster / clusters), lastUnit = (int)((long long)units * (cluster + 1) / clusters);
    const int passes = (lastUnit - firstUnit + CLUSTER - 1) / CLUSTER;
    const int blocks = (inputs + TILE_INPUTS - 1) / TILE_INPUTS;
    const int firstBlock = blocks * rank / CLUSTER, blockCount = blocks * (rank + 1) / CLUSTER - firstBlock;
    const int steps = passes * blockCount, prefill = min(STAGES, steps);

    allow_next();
    auto copy_weights = [&](int step, int stage) {
        const int pass = step / blockCount, k = (firstBlock + step - pass * blockCount) * TILE_INPUTS;
        const int unit = firstUnit + pass * CLUSTER, count = min(CLUSTER, lastUnit - unit);
        barrier_expect(full + stage * 8, count * UNIT_BYTES + INPUT_BYTES);
        for (int i = 0; i < count; i++)
        {
            const u32 at = weightBase + stage * WEIGHT_BYTES + i * UNIT_BYTES;
#if EPILOGUE == 1
            tensor_copy_4d(at, maps.weight, full + stage * 8, k, 0, 0, (unit + i) * (UNIT / 16));
#elif EPILOGUE == 2
            const int group = (unit + i) * (UNIT / 16);
            tensor_copy_5d(at, maps.weight, full + stage * 8, k, 0, 0, group % (HEAD_DIM / 16), group / (HEAD_DIM / 16));
#else
            tensor_copy_2d(at, maps.weight, full + stage * 8, k, (unit + i) * UNIT);
#endif
        }
    };
    auto copy_input = [&](int step, int stage) {
        tensor_copy_2d(inputBase + stage * INPUT_BYTES, maps.input, full + stage * 8, (firstBlock + step % blockCount) * TILE_INPUTS, 0);
    };
    if (threadIdx.x == (WARPS + FINISHERS) * 32)
    {
        for (int i = 0; i < STAGES; i++)
        {
            barrier_init(full + i * 8, 1);
            barrier_init(empty + i * 8, WARPS);
        }
        barrier_init(ready, WARPS);              // two warps of each CTA
        for (int i = 0; i < CLUSTER; i++)
            barrier_init(room + i * 8, FINISHERS);
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        fence_async_proxy();
        for (int i = 0; i < prefill; i++)
            copy_weights(i, i);                  // weights do not depend on the kernel before
    }
    __syncwarp();
    cluster_sync();

    if (warp == WARPS + FINISHERS)
    {
        wait_for_previous();
        if (lane == 0)
        {
            for (int i = 0; i < prefill; i++)
                copy_input(i, i);
            u32 phase = 0;
            for (int i = prefill, stage = 0; i < steps; i++)
            {
                barrier_wait(empty + stage * 8, phase);
                copy_weights(i, stage);
                copy_input(i, stage);
                stage = stage + 1 == STAGES ? 0 : stage + 1;
                phase ^= stage == 0;
            }
        }
        __syncwarp();
    }
    else if (warp < WARPS)
    {
        float sums[GROUPS * 4] = {};             // undefined ones make the compiler wait after every product
        u32 stage = 0, phase = 0;
        // Warps 2 i and 2 i + 1 hold unit i of a pass, which CTA i finishes.
        const int owner = warp >> 1;
        const u32 destination = address_in(sumBase + (((rank * 2 + (warp & 1)) * 16 + (lane >> 2)) * SUM_ROW + (lane & 3) * 2) * 4, owner);
        const u32 readyThere = address_in(ready, owner);
        for (int pass = 0; pass < passes; pass++)
        {
            int reading = -1;
            for (int block = 0; block < blockCount; block++)
            {
                barrier_wait(full + stage * 8, phase);
                const u64 a = matrix_descriptor(weightBase + stage * WEIGHT_BYTES + (warp >> 2) * (WEIGHT_BYTES / 2), 16, 1024);
                const u64 b = matrix_descriptor(inputBase + stage * INPUT_BYTES, 16, 1024);
                wgmma_fence();
#pragma unroll
                for (int k = 0; k < 4; k++)
                    wgmma_ss(sums, a + 2 * k, b + 2 * k, k > 0 || block > 0);
                wgmma_commit();
                wgmma_wait<1>();
                if (lane == 0 && reading >= 0)
                    barrier_arrive(empty + reading * 8);
                reading = stage;
                stage = stage + 1 == STAGES ? 0 : stage + 1;
                phase ^= stage == 0;
            }
            wgmma_wait<0>();
            pin(sums);
            if (lane == 0 && reading >= 0)
                barrier_arrive(empty + reading * 8);
            if (firstUnit + pass * CLUSTER + owner < lastUnit)
            {
                if (pass > 0)
                    barrier_wait_in_cluster(room + owner * 8, (pass - 1) & 1);
#pragma unroll
                for (int t = 0; t < GROUPS; t++)
                {
                    store_in_cluster(destination + t * 32, sums[4 * t], sums[4 * t + 1]);
                    store_in_cluster(destination + t * 32 + 8 * SUM_ROW * 4, sums[4 * t + 2], sums[4 * t + 3]);
                }
                __syncwarp();
                if (lane == 0)
                    barrier_publish_in_cluster(readyThere);
            }
        }
    }
    else
    {
        wait_for_previous();
        // A thread finishes outputs o and o + 8 of a group of 16, for every eighth row.
        const int thread = threadIdx.x - WARPS * 32, o = thread & 7, group = (thread >> 3) & 1, firstRow = thread >> 4;
        const float *sums = reinterpret_cast<const float *>(raw + (sumBase - shared_address(raw))) + (group * 16 + o) * SUM_ROW + firstRow;
        for (int pass = 0; pass < passes; pass++)
        {
            const int unit = firstUnit + pass * CLUSTER + rank;
            if (unit >= lastUnit)
                break;
#if EPILOGUE == 1
            const int columns = outputs / 2, low = (unit * 2 + group) * 8 + o, high = columns + low;
            const bool inside = low < columns, insideHigh = inside;
#elif EPILOGUE == 2
            const int g = unit * 2 + group, head = g / (HEAD_DIM / 16), d = (g % (HEAD_DIM / 16)) * 8 + o;
            const int low = head * HEAD_DIM + d, high = low + HALF_HEAD;
            const bool inside = low < outputs, insideHigh = inside;
            float2 turn[GROUPS];
            int slot[GROUPS];
#else
            const int low = unit * UNIT + group * 16 + o, high = low + 8;
            const bool inside = low < outputs, insideHigh = high < outputs;
#endif
            // All that is needed besides the sums is asked for before they are there.
            const float shiftLow = bias && inside ? to_float(bias[low]) : 0.f, shiftHigh = bias && insideHigh ? to_float(bias[high]) : 0.f;
#if EPILOGUE == 2
#pragma unroll
            for (int t = 0; t < GROUPS; t++)
            {
                const int row = t * 8 + firstRow;
                const bool used = row < rows && inside;
                turn[t] = used && head < heads + kvHeads ? cosSin[(u64)positions[row] * HALF_HEAD + d] : make_float2(1.f, 0.f);
                slot[t] = used && head >= heads ? slots[row] : 0;
            }
#elif EPILOGUE == 3
            float before[GROUPS][2];
#pragma unroll
            for (int t = 0; t < GROUPS; t++)
            {
                const int row = t * 8 + firstRow;
                const elem *at = reinterpret_cast<const elem *>(output) + (u64)row * outputs;
                before[t][0] = row < rows && inside ? to_float(at[low]) : 0.f;
                before[t][1] = row < rows && insideHigh ? to_float(at[high]) : 0.f;
            }
#endif
            barrier_wait_in_cluster(ready, pass & 1);
            float sumLow[GROUPS], sumHigh[GROUPS];
#pragma unroll
            for (int t = 0; t < GROUPS; t++)
            {
                sumLow[t] = shiftLow, sumHigh[t] = shiftHigh;
#pragma unroll
                for (int r = 0; r < CLUSTER; r++)
                {
                    sumLow[t] += sums[r * UNIT * SUM_ROW + t * 8];
                    sumHigh[t] += sums[r * UNIT * SUM_ROW + 8 * SUM_ROW + t * 8];
                }
            }
            __syncwarp();
            if (lane < CLUSTER)
                barrier_publish_in_cluster(address_in(room + rank * 8, lane));
#pragma unroll
            for (int t = 0; t < GROUPS; t++)
            {
                const int row = t * 8 + firstRow;
                if (row >= rows || !inside)
                    continue;
#if EPILOGUE == 1
                reinterpret_cast<elem *>(output)[(u64)row * columns + low] = from_float(__fdividef(sumLow[t], 1.f + __expf(-sumLow[t])) * sumHigh[t]);
#elif EPILOGUE == 2
                elem *to = reinterpret_cast<elem *>(output) + (u64)row * outputs + low;
                if (head >= heads)
                    to = (head < heads + kvHeads ? keys : values)
                        + (((u64)(slot[t] / BLOCK_SIZE) * kvHeads + (head - heads) % kvHeads) * BLOCK_SIZE + slot[t] % BLOCK_SIZE) * HEAD_DIM + d;
                to[0] = from_float(sumLow[t] * turn[t].x - sumHigh[t] * turn[t].y);
                to[HALF_HEAD] = from_float(sumHigh[t] * turn[t].x + sumLow[t] * turn[t].y);
#else
                const u64 at = (u64)row * outputs;
#if EPILOGUE == 3
                sumLow[t] += before[t][0], sumHigh[t] += before[t][1];
#else
                if (floatOutput)
                {
                    reinterpret_cast<float *>(output)[at + low] = sumLow[t];
                    if (insideHigh)
                        reinterpret_cast<float *>(output)[at + high] = sumHigh[t];
                    continue;
                }
#endif
                reinterpret_cast<elem *>(output)[at + low] = from_float(sumLow[t]);
                if (insideHigh)
                    reinterpret_cast<elem *>(output)[at + high] = from_float(sumHigh[t]);
#endif
            }
        }
    }
    // Others may still write sums here or arrive at the barriers.
    cluster_sync();
}
