// Matrix product for up to 32 rows, bound by reading the weights: output[rows, outputs] = input[rows, inputs] * weight[outputs, inputs]^T (+ bias).
// In: tensor maps of weight and input, bias (elements). Out: elements, or float32 when floatOutput is set; EPILOGUE says what else becomes of the sums. rows <= TOKENS; inputs a multiple of 8.
// Grid: one CTA per multiprocessor, 288 threads (two groups of four warps multiply, the last warp copies); each takes an equal share of all boxes of 128 outputs by 64 inputs.
// Source: weights are the 64-row operand of wgmma; bulk copies into a ring in shared memory; stream-K shares (Osama et al. 2023), merged by the last CTA to arrive.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#include "primitives.cuh"
#include "hopper.cuh"

#ifndef TOKENS
#define TOKENS 8                                 // 8, 16 or 32
#endif
#ifndef STAGES
#define STAGES (TOKENS <= 16 ? 6 : 5)            // two kernels fit a multiprocessor, so that the next one's ring fills while this one ends
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

#define WARPS 8
#define TILE_OUTPUTS (WARPS * 16)
#define TILE_INPUTS 64                           // 128 bytes: one swizzled line
#define WEIGHT_BYTES (TILE_OUTPUTS * 128)
#define INPUT_BYTES (TOKENS * 128)
#define PART_FLOATS (TILE_OUTPUTS * TOKENS)
#define GROUPS (TOKENS / 8)                      // of 8 rows: four sums of a thread

static_assert(EPILOGUE != 2 || TILE_OUTPUTS % HEAD_DIM == 0, "a tile holds whole heads");

struct alignas(64) TensorMaps
{
    unsigned char weight[128];
    unsigned char input[128];
};

// What a thread needs besides the sums: it has outputs low and high, for rows 8 t + 2 (lane % 4) + (0, 1).
struct Around
{
    int low, high, head;
    bool inside, insideHigh;
    float shiftLow, shiftHigh;
#if EPILOGUE == 2
    float2 turn[TOKENS / 4];
    int slot[TOKENS / 4];
#elif EPILOGUE == 3
    float before[TOKENS / 4][2];
#endif
};

extern "C" __global__ void __launch_bounds__(WARPS * 32 + 32, 3) matmul_stream_hopper(
    const __grid_constant__ TensorMaps maps,
    void *output, const elem *__restrict__ bias, int rows, int outputs, int inputs, int floatOutput,
    float *__restrict__ parts, int *__restrict__ arrivals,
    elem *__restrict__ keys, elem *__restrict__ values, const float2 *__restrict__ cosSin,
    const int *__restrict__ positions, const int *__restrict__ slots, int heads, int kvHeads)
{
    extern __shared__ __align__(1024) unsigned char raw[];
    __shared__ int isLast;
    const u32 weightBase = (shared_address(raw) + 1023) & ~1023u;
    const u32 inputBase = weightBase + STAGES * WEIGHT_BYTES;
    const u32 full = inputBase + STAGES * INPUT_BYTES, empty = full + STAGES * 8;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;

    const int perTile = (inputs + TILE_INPUTS - 1) / TILE_INPUTS, total = perTile * ((outputs + TILE_OUTPUTS - 1) / TILE_OUTPUTS);
    // Shares differ by at most one box; boxes of a tile are neighbours.
    const int cta = blockIdx.x, share = total / gridDim.x, extra = total % gridDim.x;
    const int begin = cta * share + min(cta, extra), count = share + (cta < extra ? 1 : 0), end = begin + count;

    allow_next();
    const int prefill = min(STAGES, count);
    auto copy_weights = [&](int unit, int stage) {
        const int tile = unit / perTile, k = (unit - tile * perTile) * TILE_INPUTS;
        barrier_expect(full + stage * 8, WEIGHT_BYTES + INPUT_BYTES);
#if EPILOGUE == 1
        tensor_copy_4d(weightBase + stage * WEIGHT_BYTES, maps.weight, full + stage * 8, k, 0, 0, tile * (TILE_OUTPUTS / 16));
#elif EPILOGUE == 2
        tensor_copy_5d(weightBase + stage * WEIGHT_BYTES, maps.weight, full + stage * 8, k, 0, 0, 0, tile * (TILE_OUTPUTS / HEAD_DIM));
#else
        tensor_copy_2d(weightBase + stage * WEIGHT_BYTES, maps.weight, full + stage * 8, k, tile * TILE_OUTPUTS);
#endif
    };
    auto copy_input = [&](int unit, int stage) {
        tensor_copy_2d(inputBase + stage * INPUT_BYTES, maps.input, full + stage * 8, (unit % perTile) * TILE_INPUTS, 0);
    };
    if (threadIdx.x == WARPS * 32)
    {
        for (int i = 0; i < STAGES; i++)
        {
            barrier_init(full + i * 8, 1);
            barrier_init(empty + i * 8, WARPS);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        fence_async_proxy();
        for (int i = 0; i < prefill; i++)
            copy_weights(begin + i, i);          // weights do not depend on the kernel before
    }
    __syncthreads();
    wait_for_previous();

    if (warp == WARPS)
    {
        if (lane != 0)
            return;
        for (int i = 0; i < prefill; i++)
            copy_input(begin + i, i);
        u32 phase = 0;
        for (int i = prefill, stage = 0; i < count; i++)
        {
            barrier_wait(empty + stage * 8, phase);
            copy_weights(begin + i, stage);
            copy_input(begin + i, stage);
            stage = stage + 1 == STAGES ? 0 : stage + 1;
            phase ^= stage == 0;
        }
        return;
    }

    float sums[GROUPS * 4] = {};                 // undefined ones make the compiler wait after every product
    int tile = begin / perTile, tileBegin = tile * perTile, partBegin = begin;
    bool firstTile = true;
    u32 stage = 0, phase = 0;
    int unreleased = -1;                         // a stage that the products on their way still read
    auto release = [&]() {
        if (lane == 0 && unreleased >= 0)
            barrier_arrive(empty + unreleased * 8);
    };
    Around around;
    // Asked for when a tile begins, so that nothing but the sums is waited for when it ends.
    auto look_around = [&]() {
        const int o = lane >> 2;
#if EPILOGUE == 1
        around.low = tile * (TILE_OUTPUTS / 2) + warp * 8 + o, around.high = outputs / 2 + around.low;
        around.inside = around.insideHigh = around.low < outputs / 2;
#elif EPILOGUE == 2
        const int group = tile * WARPS + warp, d = (group % (HEAD_DIM / 16)) * 8 + o;
        around.head = group / (HEAD_DIM / 16);
        around.low = around.head * HEAD_DIM + d, around.high = around.low + HEAD_DIM / 2;
        around.inside = around.insideHigh = around.low < outputs;
#else
        around.low = tile * TILE_OUTPUTS + warp * 16 + o, around.high = around.low + 8;
        around.inside = around.low < outputs, around.insideHigh = around.high < outputs;
#endif
        around.shiftLow = bias && around.inside ? to_float(bias[around.low]) : 0.f;
        around.shiftHigh = bias && around.insideHigh ? to_float(bias[around.high]) : 0.f;
#if EPILOGUE >= 2
#pragma unroll
        for (int i = 0; i < TOKENS / 4; i++)
        {
            const int row = (i >> 1) * 8 + (lane & 3) * 2 + (i & 1);
            const bool used = row < rows && around.inside;
#if EPILOGUE == 2
            around.turn[i] = used && around.head < heads + kvHeads ? cosSin[(u64)positions[row] * (HEAD_DIM / 2) + d] : make_float2(1.f, 0.f);
            around.slot[i] = used && around.head >= heads ? slots[row] : 0;
#else
            const elem *at = reinterpret_cast<const elem *>(output) + (u64)row * outputs;
            around.before[i][0] = used ? to_float(at[around.low]) : 0.f;
            around.before[i][1] = used && around.insideHigh ? to_float(at[around.high]) : 0.f;
#endif
        }
#endif
    };
    for (int unit = begin; unit < end; unit++)
    {
        if (TOKENS < 32 && unit == partBegin)
            look_around();
        barrier_wait(full + stage * 8, phase);
        const u64 a = matrix_descriptor(weightBase + stage * WEIGHT_BYTES + (warp >> 2) * (WEIGHT_BYTES / 2), 16, 1024);
        const u64 b = matrix_descriptor(inputBase + stage * INPUT_BYTES, 16, 1024);
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < 4; k++)
            wgmma_ss(sums, a + 2 * k, b + 2 * k, k > 0 || unit != partBegin);
        wgmma_commit();
        wgmma_wait<1>();
        release();
        unreleased = stage;
        stage = stage + 1 == STAGES ? 0 : stage + 1;
        phase ^= stage == 0;

        const bool tileEnds = unit + 1 == tileBegin + perTile;
        if (!tileEnds && unit + 1 < end)
            continue;

        wgmma_wait<0>();
        pin(sums);
        release();
        unreleased = -1;
        bool store = true;
        if (partBegin != tileBegin || !tileEnds)
        {
            // The tile is shared: leave this part, and whoever comes last adds them all up, in order.
            const int wide = extra * (share + 1);
            auto owner = [&](int u) { return u < wide ? u / (share + 1) : extra + (u - wide) / share; };
            const int first = owner(tileBegin), last = owner(tileBegin + perTile - 1);
            float4 *part = reinterpret_cast<float4 *>(parts + (u64)(cta * 2 + (firstTile ? 0 : 1)) * PART_FLOATS) + threadIdx.x;
#pragma unroll
            for (int t = 0; t < GROUPS; t++)
                part[t * WARPS * 32] = make_float4(sums[4 * t], sums[4 * t + 1], sums[4 * t + 2], sums[4 * t + 3]);
            __threadfence();
            named_barrier(1, WARPS * 32);
            if (threadIdx.x == 0)
            {
                isLast = atomicAdd(arrivals + tile, 1) == last - first;
                if (isLast)
                    arrivals[tile] = 0;
            }
            named_barrier(1, WARPS * 32);
            store = isLast;
            if (store)
            {
                __threadfence();
#pragma unroll
                for (int i = 0; i < GROUPS * 4; i++)
                    sums[i] = 0.f;
                // The tile is the first of every CTA but the one it starts in, unless it starts there exactly.
                const bool startsInside = first * share + min(first, extra) < tileBegin;
#pragma unroll (TOKENS >= 32 ? 2 : 4)
                for (int c = first; c <= last; c++)
                {
                    const float4 *other = reinterpret_cast<const float4 *>(parts + (u64)(c * 2 + (c == first && startsInside ? 1 : 0)) * PART_FLOATS) + threadIdx.x;
#pragma unroll
                    for (int t = 0; t < GROUPS; t++)
                    {
                        const float4 v = __ldcg(other + t * WARPS * 32);
                        sums[4 * t] += v.x, sums[4 * t + 1] += v.y, sums[4 * t + 2] += v.z, sums[4 * t + 3] += v.w;
                    }
                }
            }
        }
        if (store)
        {
            if (TOKENS >= 32)                    // more rows leave no registers for it before
                look_around();
#pragma unroll
            for (int t = 0; t < GROUPS; t++)
#pragma unroll
                for (int j = 0; j < 2; j++)
                {
                    const int row = t * 8 + (lane & 3) * 2 + j;
                    const float low = sums[4 * t + j] + around.shiftLow, high = sums[4 * t + 2 + j] + around.shiftHigh;
                    if (row >= rows || !around.inside)
                        continue;
#if EPILOGUE == 1
                    reinterpret_cast<elem *>(output)[(u64)row * (outputs / 2) + around.low] = from_float(__fdividef(low, 1.f + __expf(-low)) * high);
#elif EPILOGUE == 2
                    elem *to = reinterpret_cast<elem *>(output) + (u64)row * outputs + around.low;
                    if (around.head >= heads)
                    {
                        const int slot = around.slot[2 * t + j];
                        to = (around.head < heads + kvHeads ? keys : values)
                            + (((u64)(slot / BLOCK_SIZE) * kvHeads + (around.head - heads) % kvHeads) * BLOCK_SIZE + slot % BLOCK_SIZE) * HEAD_DIM + around.low % HEAD_DIM;
                    }
                    const float2 turn = around.turn[2 * t + j];
                    to[0] = from_float(low * turn.x - high * turn.y);
                    to[HEAD_DIM / 2] = from_float(high * turn.x + low * turn.y);
#elif EPILOGUE == 3
                    elem *to = reinterpret_cast<elem *>(output) + (u64)row * outputs;
                    to[around.low] = from_float(around.before[2 * t + j][0] + low);
                    if (around.insideHigh)
                        to[around.high] = from_float(around.before[2 * t + j][1] + high);
#else
                    const u64 at = (u64)row * outputs;
                    if (floatOutput)
                    {
                        reinterpret_cast<float *>(output)[at + around.low] = low;
                        if (around.insideHigh)
                            reinterpret_cast<float *>(output)[at + around.high] = high;
                    }
                    else
                    {
                        reinterpret_cast<elem *>(output)[at + around.low] = from_float(low);
                        if (around.insideHigh)
                            reinterpret_cast<elem *>(output)[at + around.high] = from_float(high);
                    }
#endif
                }
        }
        tile++;
        tileBegin += perTile;
        partBegin = tileBegin;
        firstTile = false;
    }
}
