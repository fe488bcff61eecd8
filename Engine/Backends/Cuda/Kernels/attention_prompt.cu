// Causal attention of prompt chunks over paged keys and values (tensor cores, online softmax), sm_80 and later.
// In: qkv [tokens, (heads + 2 kvHeads) * HEAD_DIM] with rotated queries; keys, values as kv_cache.cuh has them. Out: [tokens, heads * HEAD_DIM].
// Grid: (tiles of QUERY_TILE queries, heads), 128 threads; a chunk may start anywhere in its sequence (offset = context - queries).
// Source: Dao 2023 (FlashAttention-2), algorithm 1.
// Test: tests/Engine.GpuTests/Kernels/KernelParityTests.cs, AttentionFeatureTests.cs
#include "primitives.cuh"
#include "kv_cache.cuh"

#ifndef GROUP
#define GROUP 4
#endif

#define WARPS 4
// The host takes less of both where shared memory is small.
#ifndef ROW_TILES
#define ROW_TILES (HEAD_DIM > 128 ? 1 : 2)       // 16-row tiles per warp
#endif
#define QUERY_TILE (WARPS * ROW_TILES * 16)
#ifndef KEY_TILE
#define KEY_TILE 64
#endif
#define PADDED ((HEAD_DIM + 15) / 16 * 16)       // whole steps of the tensor cores: zeros in shared memory
#define ROW (PADDED + 8)
#define KSTEPS (PADDED / 16)
#define NTILES (PADDED / 8)
#define CHUNKS (PADDED / 8)
#define INSIDE(chunk) (PADDED == HEAD_DIM || (chunk) * 8 < HEAD_DIM)

extern "C" __global__ void __launch_bounds__(WARPS * 32) attention_prompt(
    elem *__restrict__ output, const elem *__restrict__ qkv,
    const elem *__restrict__ keys, const elem *__restrict__ values,
    const int *__restrict__ blockTables, const int *__restrict__ queryStarts,
    const int *__restrict__ contexts, const int *__restrict__ tileSequences, const int *__restrict__ tileQueries,
    const int *__restrict__ tableStride, int kvHeads, int window, float scaleLog2
#if SOFT_CAP || SINKS
    , float capSlope, float capLog2, const elem *__restrict__ sinks     // cap: as soft_cap takes them, to base 2
#endif
    )
{
    allow_next();
    wait_for_previous();
    extern __shared__ __align__(16) elem shared[];
    elem *queryShared = shared;                                  // [QUERY_TILE, ROW]
    elem *keyShared = shared + QUERY_TILE * ROW;                 // [2, KEY_TILE, ROW]
    elem *valueShared = keyShared + 2 * KEY_TILE * ROW;          // [2, KEY_TILE, ROW]

    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int sequence = tileSequences[blockIdx.x], firstQuery = tileQueries[blockIdx.x];
    const int head = blockIdx.y, kvHead = head / GROUP;
#if SOFT_CAP
    scaleLog2 = 1.f;                             // capped scores are to base 2
#endif
    const int heads = kvHeads * GROUP;
    const int tokenStart = queryStarts[sequence];
    const int queries = queryStarts[sequence + 1] - tokenStart;
    const int context = contexts[sequence];
    const int offset = context - queries;                        // position of query 0
    const int qkvRow = (heads + 2 * kvHeads) * HEAD_DIM;
    const int *table = blockTables + sequence * *tableStride;

    const int lastQuery = min(firstQuery + QUERY_TILE, queries) - 1;
    const int keyEnd = offset + lastQuery + 1;                   // keys that any query of the tile sees
    int keyBegin = 0;
    if (window > 0)
        keyBegin = max(0, offset + firstQuery - window + 1) / KEY_TILE * KEY_TILE;

    for (int i = threadIdx.x; i < QUERY_TILE * CHUNKS; i += WARPS * 32)
    {
        int row = i / CHUNKS, chunk = i % CHUNKS;
        bool valid = firstQuery + row < queries;
        const elem *source = qkv + (u64)(tokenStart + (valid ? firstQuery + row : 0)) * qkvRow + head * HEAD_DIM + chunk * 8;
        copy16_async(shared_address(queryShared + row * ROW + chunk * 8), source, valid && INSIDE(chunk));
    }
    const u32 keyBase = shared_address(keyShared), valueBase = shared_address(valueShared);
    auto load_keys = [&](int start, int buffer) {
#pragma unroll
        for (int i = threadIdx.x; i < KEY_TILE * CHUNKS; i += WARPS * 32)
        {
            int row = i / CHUNKS, chunk = i % CHUNKS;
            int token = start + row;
            bool valid = token < keyEnd;
            int block = valid ? table[token / BLOCK_SIZE] : 0;
            const int slot = block * BLOCK_SIZE + token % BLOCK_SIZE;
            u64 source = cache_offset(slot, kvHead, kvHeads) + (chunk * 8 ^ cache_swizzle(slot));
            u32 destination = ((buffer * KEY_TILE + row) * ROW + chunk * 8) * 2;
            copy16_async(keyBase + destination, keys + source, valid && INSIDE(chunk));
            copy16_async(valueBase + destination, values + source, valid && INSIDE(chunk));
        }
        commit_copies();
    };
    load_keys(keyBegin, 0);

    float sums[ROW_TILES][NTILES][4] = {};
    float maximum[ROW_TILES][2], total[ROW_TILES][2];
#pragma unroll
    for (int m = 0; m < ROW_TILES; m++)
        maximum[m][0] = maximum[m][1] = NEG_INF, total[m][0] = total[m][1] = 0.f;
#if SINKS
    // The sink comes first, as a score that has no value behind it; one lane of a row counts it.
    const float sink = to_float(sinks[head]) * LOG2E / scaleLog2;
#pragma unroll
    for (int m = 0; m < ROW_TILES; m++)
        maximum[m][0] = maximum[m][1] = sink, total[m][0] = total[m][1] = (lane & 3) == 0 ? 1.f : 0.f;
#endif

    const int warpRow = warp * ROW_TILES * 16;
    const u32 queryAddress = shared_address(queryShared + (warpRow + (lane & 15)) * ROW + (lane >> 4) * 8);
    const u32 keyOffset = (((lane & 7) + ((lane >> 4) << 3)) * ROW + ((lane >> 3) & 1) * 8) * 2;
    const u32 valueOffset = (((lane & 7) + (((lane >> 3) & 1) << 3)) * ROW + (lane >> 4) * 8) * 2;
    const int rowPosition = offset + firstQuery + warpRow + (lane >> 2);

    int buffer = 0;
    for (int start = keyBegin; start < keyEnd; start += KEY_TILE, buffer ^= 1)
    {
        wait_copies<0>();
        __syncthreads();
        if (start + KEY_TILE < keyEnd)
            load_keys(start + KEY_TILE, buffer ^ 1);

        float scores[ROW_TILES][KEY_TILE / 8][4] = {};
        const u32 keyAddress = keyBase + buffer * KEY_TILE * ROW * 2 + keyOffset;
#pragma unroll
        for (int k = 0; k < KSTEPS; k++)
        {
            u32 a[ROW_TILES][4];
#pragma unroll
            for (int m = 0; m < ROW_TILES; m++)
                ldmatrix4(a[m][0], a[m][1], a[m][2], a[m][3], queryAddress + (m * 16 * ROW + k * 16) * 2);
#pragma unroll
            for (int n = 0; n < KEY_TILE / 8; n += 2)
            {
                u32 b0, b1, b2, b3;
                ldmatrix4(b0, b1, b2, b3, keyAddress + (n * 8 * ROW + k * 16) * 2);
#pragma unroll
                for (int m = 0; m < ROW_TILES; m++)
                {
                    mma(scores[m][n], a[m][0], a[m][1], a[m][2], a[m][3], b0, b1);
                    mma(scores[m][n + 1], a[m][0], a[m][1], a[m][2], a[m][3], b2, b3);
                }
            }
        }

#if SOFT_CAP
#pragma unroll
        for (int m = 0; m < ROW_TILES; m++)
#pragma unroll
            for (int n = 0; n < KEY_TILE / 8; n++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    scores[m][n][j] = soft_cap(scores[m][n][j], capSlope, capLog2);
#endif

        // Only tiles that cross the diagonal or the window's edge need the mask.
        bool masked = start + KEY_TILE > offset + firstQuery + 1
            || (window > 0 && start <= offset + lastQuery - window);
#pragma unroll
        for (int m = 0; m < ROW_TILES; m++)
#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                int position = rowPosition + m * 16 + half * 8;
                float best = maximum[m][half];
                if (masked)
                {
#pragma unroll
                    for (int n = 0; n < KEY_TILE / 8; n++)
#pragma unroll
                        for (int j = 0; j < 2; j++)
                        {
                            int key = start + n * 8 + (lane & 3) * 2 + j;
                            if (key > position || (window > 0 && key <= position - window))
                                scores[m][n][half * 2 + j] = NEG_INF;
                        }
                }
#pragma unroll
                for (int n = 0; n < KEY_TILE / 8; n++)
                    best = fmaxf(best, fmaxf(scores[m][n][half * 2], scores[m][n][half * 2 + 1]));
                best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
                best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
                float correction = exp2_fast((maximum[m][half] - best) * scaleLog2);
                maximum[m][half] = best;
                float reference = best <= NEG_INF ? 0.f : best * scaleLog2;
                float sum = 0.f;
#pragma unroll
                for (int n = 0; n < KEY_TILE / 8; n++)
#pragma unroll
                    for (int j = 0; j < 2; j++)
                    {
                        float p = exp2_fast(fmaf(scores[m][n][half * 2 + j], scaleLog2, -reference));
                        scores[m][n][half * 2 + j] = p;
                        sum += p;
                    }
                total[m][half] = total[m][half] * correction + sum;
#pragma unroll
                for (int n = 0; n < NTILES; n++)
                {
                    sums[m][n][half * 2] *= correction;
                    sums[m][n][half * 2 + 1] *= correction;
                }
            }

        const u32 valueAddress = valueBase + buffer * KEY_TILE * ROW * 2 + valueOffset;
#pragma unroll
        for (int k = 0; k < KEY_TILE / 16; k++)
        {
            u32 p[ROW_TILES][4];
#pragma unroll
            for (int m = 0; m < ROW_TILES; m++)
            {
                p[m][0] = pack2(scores[m][2 * k][0], scores[m][2 * k][1]);
                p[m][1] = pack2(scores[m][2 * k][2], scores[m][2 * k][3]);
                p[m][2] = pack2(scores[m][2 * k + 1][0], scores[m][2 * k + 1][1]);
                p[m][3] = pack2(scores[m][2 * k + 1][2], scores[m][2 * k + 1][3]);
            }
#pragma unroll
            for (int n = 0; n < NTILES; n += 2)
            {
                u32 b0, b1, b2, b3;
                ldmatrix4_trans(b0, b1, b2, b3, valueAddress + (k * 16 * ROW + n * 8) * 2);
#pragma unroll
                for (int m = 0; m < ROW_TILES; m++)
                {
                    mma(sums[m][n], p[m][0], p[m][1], p[m][2], p[m][3], b0, b1);
                    mma(sums[m][n + 1], p[m][0], p[m][1], p[m][2], p[m][3], b2, b3);
                }
            }
        }
    }

#pragma unroll
    for (int m = 0; m < ROW_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            float sum = total[m][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            float inverse = 1.f / sum;
            int row = firstQuery + warpRow + m * 16 + half * 8 + (lane >> 2);
            if (row < queries)
            {
                elem *destination = output + (u64)(tokenStart + row) * heads * HEAD_DIM + head * HEAD_DIM + (lane & 3) * 2;
#pragma unroll
                for (int n = 0; n < HEAD_DIM / 8; n++)
                    *reinterpret_cast<u32 *>(destination + n * 8) = pack2(sums[m][n][half * 2] * inverse, sums[m][n][half * 2 + 1] * inverse);
            }
        }
}
