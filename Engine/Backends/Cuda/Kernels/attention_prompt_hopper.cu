// Causal attention of prompt chunks over paged keys and values with wgmma and bulk tensor copies, sm_90a, head dims 64 and 128.
// In, out: as attention_prompt.cu; keys, values and queries are read through tensor maps, queries with the 128-byte swizzle, which the cache has already.
// Grid: persistent, one CTA of 3 warpgroups per multiprocessor (one loads, two compute 64 queries each); work = (query tile, head), longest first.
// Source: Shah et al. 2024 (FlashAttention-3): warp specialisation, softmax of one tile under the products of its neighbours.
// Test: tests/Engine.GpuTests/Kernels/KernelParityTests.cs, AttentionFeatureTests.cs
#include "primitives.cuh"
#include "hopper.cuh"
#include "kv_cache.cuh"

#ifndef GROUP
#define GROUP 4
#endif

// 1: the products of a tile of queries begin under the end of the tile before it. 0: one tile of queries after the other, kept for
// comparing.
#ifndef ACROSS_TILES
#define ACROSS_TILES 1
#endif

#define QUERY_TILE 128
#define KEY_TILE 128
#define PIECES (HEAD_DIM / 64)                   // 64 columns (128 bytes) are one swizzled piece
#define QUERY_BYTES (QUERY_TILE * HEAD_DIM * 2)
#define KEY_BYTES (KEY_TILE * HEAD_DIM * 2)
#define PIECE_BYTES (KEY_TILE * 128)
#define KSTEPS (HEAD_DIM / 16)
#define SCORES (KEY_TILE / 2)                    // accumulators of a thread
#define SUMS (HEAD_DIM / 2)

static_assert(KEY_TILE % BLOCK_SIZE == 0 && BLOCK_SIZE % 8 == 0, "a key tile is whole blocks");

struct Tile
{
    int sequence, firstQuery, head, tokenStart, queries, offset, keyEnd, first, last;   // key tiles first..last
};

__device__ __forceinline__ Tile load_tile(int work, int heads, const int *tileSequences, const int *tileQueries,
    const int *queryStarts, const int *contexts, int window)
{
    Tile t;
    int index = work / heads;
    t.head = work - index * heads;
    t.sequence = tileSequences[index];
    t.firstQuery = tileQueries[index];
    t.tokenStart = queryStarts[t.sequence];
    t.queries = queryStarts[t.sequence + 1] - t.tokenStart;
    t.offset = contexts[t.sequence] - t.queries;
    t.keyEnd = t.offset + min(t.firstQuery + QUERY_TILE, t.queries);
    t.last = (t.keyEnd - 1) / KEY_TILE;
    t.first = window > 0 ? max(0, t.offset + t.firstQuery - window + 1) / KEY_TILE : 0;
    return t;
}

extern "C" __global__ void __launch_bounds__(384, 1) attention_prompt_hopper(
    elem *__restrict__ output, const void *queryMap, const void *keyMap, const void *valueMap,
    const int *__restrict__ blockTables, const int *__restrict__ queryStarts, const int *__restrict__ contexts,
    const int *__restrict__ tileSequences, const int *__restrict__ tileQueries, int workCount,
    const int *__restrict__ tableStride, int blockCount, int kvHeads, int window, float scaleLog2
#if SOFT_CAP || SINKS
    , float capSlope, float capLog2, const elem *__restrict__ sinks     // cap: as soft_cap takes them, to base 2
#endif
    )
{
    allow_next();
    wait_for_previous();
    extern __shared__ __align__(1024) unsigned char raw[];
    const u32 base = (shared_address(raw) + 1023) & ~1023u;
    const u32 queryBase = base, keyBase = base + 2 * QUERY_BYTES, valueBase = keyBase + 2 * KEY_BYTES;
    const u32 barriers = valueBase + 2 * KEY_BYTES;
    const u32 fullQ = barriers, emptyQ = barriers + 16, fullK = barriers + 32, emptyK = barriers + 48, fullV = barriers + 64, emptyV = barriers + 80;
    const int heads = kvHeads * GROUP;
    const int warpgroup = threadIdx.x >> 7;
#if SOFT_CAP
    scaleLog2 = 1.f;                             // capped scores are to base 2
#endif

    if (threadIdx.x == 0)
    {
        for (int i = 0; i < 2; i++)
        {
            barrier_init(fullQ + i * 8, 1);
            barrier_init(fullK + i * 8, 1);
            barrier_init(fullV + i * 8, 1);
            barrier_init(emptyQ + i * 8, 8);
            barrier_init(emptyK + i * 8, 8);
            barrier_init(emptyV + i * 8, 8);
        }
        publish_barriers();
    }
    __syncthreads();

    if (warpgroup == 0)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
        {
            u32 stage = 0, phase = 1, queryStage = 0, queryPhase = 1;
            for (int work = blockIdx.x; work < workCount; work += gridDim.x)
            {
                const Tile t = load_tile(work, heads, tileSequences, tileQueries, queryStarts, contexts, window);
                const int kvHead = t.head / GROUP;
                const int *table = blockTables + t.sequence * *tableStride;
                barrier_wait(emptyQ + queryStage * 8, queryPhase);
                barrier_expect(fullQ + queryStage * 8, QUERY_BYTES);
#pragma unroll
                for (int p = 0; p < PIECES; p++)
                    tensor_copy_2d(queryBase + queryStage * QUERY_BYTES + p * QUERY_TILE * 128, queryMap, fullQ + queryStage * 8,
                        t.head * HEAD_DIM + p * 64, t.tokenStart + t.firstQuery);
                queryStage ^= 1;
                queryPhase ^= queryStage == 0;

                for (int tile = t.last; tile >= t.first; tile--)
                {
                    int blocks[KEY_TILE / BLOCK_SIZE];
#pragma unroll
                    for (int b = 0; b < KEY_TILE / BLOCK_SIZE; b++)
                    {
                        int token = tile * KEY_TILE + b * BLOCK_SIZE;
                        blocks[b] = token < t.keyEnd ? table[token / BLOCK_SIZE] : blockCount;   // past the end: filled with zeros
                    }
                    barrier_wait(emptyK + stage * 8, phase);
                    barrier_expect(fullK + stage * 8, KEY_BYTES);
#pragma unroll
                    for (int p = 0; p < PIECES; p++)
#pragma unroll
                        for (int b = 0; b < KEY_TILE / BLOCK_SIZE; b++)
                            tensor_copy_4d(keyBase + stage * KEY_BYTES + p * PIECE_BYTES + b * BLOCK_SIZE * 128, keyMap, fullK + stage * 8, p * 64, 0, kvHead, blocks[b]);
                    barrier_wait(emptyV + stage * 8, phase);
                    barrier_expect(fullV + stage * 8, KEY_BYTES);
#pragma unroll
                    for (int p = 0; p < PIECES; p++)
#pragma unroll
                        for (int b = 0; b < KEY_TILE / BLOCK_SIZE; b++)
                            tensor_copy_4d(valueBase + stage * KEY_BYTES + p * PIECE_BYTES + b * BLOCK_SIZE * 128, valueMap, fullV + stage * 8, p * 64, 0, kvHead, blocks[b]);
                    stage ^= 1;
                    phase ^= stage == 0;
                }
            }
        }
    }
    else
    {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        const int lane = threadIdx.x & 31, thread = threadIdx.x & 127;
        const int warpRow = (warpgroup - 1) * 64 + (thread >> 5) * 16 + (lane >> 2);
        u32 keyStage = 0, keyPhase = 0, valueStage = 0, valuePhase = 0, queryStage = 0, queryPhase = 0;
        // Where a row's maximum and sum begin. A sink comes first, as a score that has no value behind it; one lane of a row counts it.
#if SINKS
        auto first_maximum = [&](int head) { return to_float(sinks[head]) * LOG2E / scaleLog2; };
        const float firstTotal = (lane & 3) == 0 ? 1.f : 0.f;
#else
        auto first_maximum = [](int) { return NEG_INF; };
        const float firstTotal = 0.f;
#endif
        auto cap = [&](float (&x)[SCORES]) {
#if SOFT_CAP
#pragma unroll
            for (int i = 0; i < SCORES; i++)
                x[i] = soft_cap(x[i], capSlope, capLog2);
#endif
        };

#if ACROSS_TILES
        // One pipeline over all key tiles of all work: while the weights of a tile multiply its values, the next tile's scores are made,
        // be it of the same queries or of the next.
        float scores[SCORES], sums[SUMS];
        u32 weights[SCORES / 2];
        float maximum[2], total[2] = { firstTotal, firstTotal }, correction[2];
#pragma unroll
        for (int i = 0; i < SUMS; i++)
            sums[i] = 0.f;
        int work = blockIdx.x;
        // Few numbers a tile: registers are scarce.
        struct Part
        {
            int token, queries, head, position, keyEnd, first, last;     // the first query's token and position; queries from it on
        };
        auto load_part = [&](int of) {
            const Tile w = load_tile(of, heads, tileSequences, tileQueries, queryStarts, contexts, window);
            return Part{ w.tokenStart + w.firstQuery, w.queries - w.firstQuery, w.head, w.offset + w.firstQuery, w.keyEnd, w.first, w.last };
        };
        Part t = load_part(work);
        int tile = t.last;                       // whose scores are made next
        maximum[0] = maximum[1] = first_maximum(t.head);

        auto multiply_keys = [&]() {
            const u64 query = matrix_descriptor(queryBase + queryStage * QUERY_BYTES + (warpgroup - 1) * 64 * 128, 16, 1024);
            const u64 key = matrix_descriptor(keyBase + keyStage * KEY_BYTES, 16, 1024);
            wgmma_fence();
#pragma unroll
            for (int k = 0; k < KSTEPS; k++)
            {
                const u64 a = query + (k / 4) * (QUERY_TILE * 128 >> 4) + (k % 4) * 2, b = key + (k / 4) * (PIECE_BYTES >> 4) + (k % 4) * 2;
                wgmma_ss(scores, a, b, k > 0);
            }
            wgmma_commit();
        };
        auto multiply_values = [&](bool fresh) {
            const u64 value = matrix_descriptor(valueBase + valueStage * KEY_BYTES, PIECE_BYTES, 1024);
            wgmma_fence();
#pragma unroll
            for (int k = 0; k < KEY_TILE / 16; k++)
                wgmma_rs(sums, weights[k * 4], weights[k * 4 + 1], weights[k * 4 + 2], weights[k * 4 + 3], value + k * (16 * 128 >> 4), k > 0 || !fresh);
            wgmma_commit();
        };
        auto softmax = [&]() {
            const int start = tile * KEY_TILE;
            cap(scores);
            // Only tiles that cross the diagonal or the window's edge need the mask.
            if (start + KEY_TILE > t.position + (warpgroup - 1) * 64 + 1 || (window > 0 && start <= t.keyEnd - 1 - window))
            {
                const int position = t.position + warpRow - start;      // in keys of this tile
                const int limit[2] = { position, position + 8 };
#pragma unroll
                for (int i = 0; i < SCORES; i++)
                {
                    const int key = (i >> 2) * 8 + (lane & 3) * 2 + (i & 1), row = limit[(i >> 1) & 1];
                    if (key > row || (window > 0 && key <= row - window))
                        scores[i] = NEG_INF;
                }
            }
#pragma unroll
            for (int side = 0; side < 2; side++)
            {
                float best = maximum[side];
#pragma unroll
                for (int i = side * 2; i < SCORES; i += 4)
                    best = fmaxf(best, fmaxf(scores[i], scores[i + 1]));
                best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
                best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
                correction[side] = exp2_fast((maximum[side] - best) * scaleLog2);
                maximum[side] = best;
                const float reference = best <= NEG_INF ? 0.f : best * scaleLog2;
                float sum = 0.f;
#pragma unroll
                for (int i = side * 2; i < SCORES; i += 4)
                {
                    scores[i] = exp2_fast(fmaf(scores[i], scaleLog2, -reference));
                    scores[i + 1] = exp2_fast(fmaf(scores[i + 1], scaleLog2, -reference));
                    sum += scores[i] + scores[i + 1];
                }
                total[side] = total[side] * correction[side] + sum;
            }
        };
        auto pack_weights = [&]() {
#pragma unroll
            for (int i = 0; i < SCORES / 2; i++)
                weights[i] = pack2(scores[i * 2], scores[i * 2 + 1]);
        };
        auto release = [&](u32 barrier) {
            if (lane == 0)
                barrier_arrive(barrier);
        };
        auto release_keys = [&]() {
            release(emptyK + keyStage * 8);
            keyStage ^= 1;
            keyPhase ^= keyStage == 0;
            if (tile == t.first)
            {
                release(emptyQ + queryStage * 8);
                queryStage ^= 1;
                queryPhase ^= queryStage == 0;
            }
        };
        // Rows of the last block past the context hold another sequence's leftovers, perhaps NaN: a weight of 0 would not silence them.
        auto silence = [&]() {
            if (t.keyEnd % BLOCK_SIZE == 0)
                return;
            barrier_wait(fullV + valueStage * 8, valuePhase);
            int from = t.keyEnd - t.last * KEY_TILE, to = (from + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
            for (int i = thread; i < (to - from) * 8 * PIECES; i += 128)
            {
                int row = from + i / 8 / PIECES, chunk = i % (8 * PIECES);
                u32 address = valueBase + valueStage * KEY_BYTES + (chunk / 8) * PIECE_BYTES + row * 128 + (chunk % 8) * 16;
                asm volatile("st.shared.v4.b32 [%0], {%1, %1, %1, %1};" :: "r"(address), "r"(0) : "memory");
            }
            fence_async_proxy();
            named_barrier(warpgroup, 128);
        };

        barrier_wait(fullQ + queryStage * 8, queryPhase);
        barrier_wait(fullK + keyStage * 8, keyPhase);
        multiply_keys();
        wgmma_wait<0>();
        pin(scores);
        release_keys();
        softmax();
        pack_weights();
        silence();
        auto finish = [&](const Part &done, const float (&sumOf)[2]) {
#pragma unroll
            for (int side = 0; side < 2; side++)
            {
                float sum = sumOf[side];
                sum += __shfl_xor_sync(0xffffffffu, sum, 1);
                sum += __shfl_xor_sync(0xffffffffu, sum, 2);
                const float inverse = 1.f / sum;
                const int row = warpRow + side * 8;
                if (row < done.queries)
                {
                    elem *destination = output + ((u64)(done.token + row) * heads + done.head) * HEAD_DIM + (lane & 3) * 2;
#pragma unroll
                    for (int n = 0; n < HEAD_DIM / 8; n++)
                        *reinterpret_cast<u32 *>(destination + n * 8) = pack2(sums[n * 4 + side * 2] * inverse, sums[n * 4 + side * 2 + 1] * inverse);
                }
            }
        };
        bool fresh = true;                       // the weights at hand are the first of their queries
        // From the first product to the last wait without a branch: the compiler would put the products one after the other otherwise.
        auto overlap = [&](bool ends, float freshMaximum) {
            barrier_wait(fullK + keyStage * 8, keyPhase);
            multiply_keys();
            barrier_wait(fullV + valueStage * 8, valuePhase);
            multiply_values(fresh);
            wgmma_wait<1>();
            pin(scores);
            release_keys();
            if (ends)
                maximum[0] = maximum[1] = freshMaximum, total[0] = total[1] = firstTotal;
            softmax();
            wgmma_wait<0>();
            pin(sums);
            release(emptyV + valueStage * 8);
            valueStage ^= 1;
            valuePhase ^= valueStage == 0;
        };
        for (;;)
        {
            const bool ends = tile == t.first;   // the weights at hand are the last of their queries
            const Part done = t;
            const float doneTotal[2] = { total[0], total[1] };
            if (ends)
            {
                work += gridDim.x;
                if (work >= workCount)
                    break;
                t = load_part(work);
                tile = t.last;
                barrier_wait(fullQ + queryStage * 8, queryPhase);
            }
            else
            {
                tile--;
            }
            overlap(ends, first_maximum(t.head));
            if (ends)
            {
                finish(done, doneTotal);
            }
            else
            {
#pragma unroll
                for (int i = 0; i < SUMS; i++)
                    sums[i] *= correction[(i >> 1) & 1];
            }
            pack_weights();
            if (ends)
                silence();
            fresh = ends;
        }
        barrier_wait(fullV + valueStage * 8, valuePhase);
        multiply_values(fresh);
        wgmma_wait<0>();
        pin(sums);
        release(emptyV + valueStage * 8);
        finish(t, total);
#else
        for (int work = blockIdx.x; work < workCount; work += gridDim.x)
        {
            const Tile t = load_tile(work, heads, tileSequences, tileQueries, queryStarts, contexts, window);
            float scores[SCORES], sums[SUMS];
            u32 weights[SCORES / 2];
            float maximum[2], total[2] = { firstTotal, firstTotal }, correction[2];
            maximum[0] = maximum[1] = first_maximum(t.head);
#pragma unroll
            for (int i = 0; i < SUMS; i++)
                sums[i] = 0.f;

            const u64 query = matrix_descriptor(queryBase + queryStage * QUERY_BYTES + (warpgroup - 1) * 64 * 128, 16, 1024);
            auto multiply_keys = [&]() {
                const u64 key = matrix_descriptor(keyBase + keyStage * KEY_BYTES, 16, 1024);
                wgmma_fence();
#pragma unroll
                for (int k = 0; k < KSTEPS; k++)
                    wgmma_ss(scores, query + (k / 4) * (QUERY_TILE * 128 >> 4) + (k % 4) * 2, key + (k / 4) * (PIECE_BYTES >> 4) + (k % 4) * 2, k > 0);
                wgmma_commit();
            };
            auto multiply_values = [&]() {
                const u64 value = matrix_descriptor(valueBase + valueStage * KEY_BYTES, PIECE_BYTES, 1024);
                wgmma_fence();
#pragma unroll
                for (int k = 0; k < KEY_TILE / 16; k++)
                    wgmma_rs(sums, weights[k * 4], weights[k * 4 + 1], weights[k * 4 + 2], weights[k * 4 + 3], value + k * (16 * 128 >> 4), 1);
                wgmma_commit();
            };
            auto softmax = [&](int tile) {
                const int position = t.offset + t.firstQuery + warpRow;
                const int start = tile * KEY_TILE;
                cap(scores);
                // Only tiles that cross the diagonal or the window's edge need the mask.
                const bool masked = start + KEY_TILE > t.offset + t.firstQuery + (warpgroup - 1) * 64 + 1
                    || (window > 0 && start <= t.keyEnd - 1 - window);
                if (masked)
                {
#pragma unroll
                    for (int i = 0; i < SCORES; i++)
                    {
                        int key = start + (i >> 2) * 8 + (lane & 3) * 2 + (i & 1);
                        int row = position + ((i >> 1) & 1) * 8;
                        if (key > row || (window > 0 && key <= row - window))
                            scores[i] = NEG_INF;
                    }
                }
#pragma unroll
                for (int half = 0; half < 2; half++)
                {
                    float best = maximum[half];
#pragma unroll
                    for (int i = half * 2; i < SCORES; i += 4)
                        best = fmaxf(best, fmaxf(scores[i], scores[i + 1]));
                    best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
                    best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
                    correction[half] = exp2_fast((maximum[half] - best) * scaleLog2);
                    maximum[half] = best;
                    const float reference = best <= NEG_INF ? 0.f : best * scaleLog2;
                    float sum = 0.f;
#pragma unroll
                    for (int i = half * 2; i < SCORES; i += 4)
                    {
                        scores[i] = exp2_fast(fmaf(scores[i], scaleLog2, -reference));
                        scores[i + 1] = exp2_fast(fmaf(scores[i + 1], scaleLog2, -reference));
                        sum += scores[i] + scores[i + 1];
                    }
                    total[half] = total[half] * correction[half] + sum;
                }
            };
            auto pack_weights = [&]() {
#pragma unroll
                for (int i = 0; i < SCORES / 2; i++)
                    weights[i] = pack2(scores[i * 2], scores[i * 2 + 1]);
            };
            auto release = [&](u32 barrier) {
                if (lane == 0)
                    barrier_arrive(barrier);
            };

            barrier_wait(fullQ + queryStage * 8, queryPhase);
            barrier_wait(fullK + keyStage * 8, keyPhase);
            multiply_keys();
            wgmma_wait<0>();
            pin(scores);
            release(emptyK + keyStage * 8);
            keyStage ^= 1;
            keyPhase ^= keyStage == 0;
            softmax(t.last);
            pack_weights();

            // Rows of the last block past the context hold another sequence's leftovers, perhaps NaN: a weight of 0 would not silence them.
            if (t.keyEnd % BLOCK_SIZE != 0)
            {
                barrier_wait(fullV + valueStage * 8, valuePhase);
                int from = t.keyEnd - t.last * KEY_TILE, to = (from + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
                for (int i = thread; i < (to - from) * 8 * PIECES; i += 128)
                {
                    int row = from + i / 8 / PIECES, chunk = i % (8 * PIECES);
                    u32 address = valueBase + valueStage * KEY_BYTES + (chunk / 8) * PIECE_BYTES + row * 128 + (chunk % 8) * 16;
                    asm volatile("st.shared.v4.b32 [%0], {%1, %1, %1, %1};" :: "r"(address), "r"(0) : "memory");
                }
                fence_async_proxy();
                named_barrier(warpgroup, 128);
            }

            for (int tile = t.last - 1; tile >= t.first; tile--)
            {
                barrier_wait(fullK + keyStage * 8, keyPhase);
                multiply_keys();
                barrier_wait(fullV + valueStage * 8, valuePhase);
                multiply_values();
                wgmma_wait<1>();
                pin(scores);
                release(emptyK + keyStage * 8);
                keyStage ^= 1;
                keyPhase ^= keyStage == 0;
                softmax(tile);
                wgmma_wait<0>();
                pin(sums);
                release(emptyV + valueStage * 8);
                valueStage ^= 1;
                valuePhase ^= valueStage == 0;
#pragma unroll
                for (int i = 0; i < SUMS; i++)
                    sums[i] *= correction[(i >> 1) & 1];
                pack_weights();
            }
            release(emptyQ + queryStage * 8);
            queryStage ^= 1;
            queryPhase ^= queryStage == 0;
            barrier_wait(fullV + valueStage * 8, valuePhase);
            multiply_values();
            wgmma_wait<0>();
            pin(sums);
            release(emptyV + valueStage * 8);
            valueStage ^= 1;
            valuePhase ^= valueStage == 0;

#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                float sum = total[half];
                sum += __shfl_xor_sync(0xffffffffu, sum, 1);
                sum += __shfl_xor_sync(0xffffffffu, sum, 2);
                const float inverse = 1.f / sum;
                const int row = t.firstQuery + warpRow + half * 8;
                if (row < t.queries)
                {
                    elem *destination = output + ((u64)(t.tokenStart + row) * heads + t.head) * HEAD_DIM + (lane & 3) * 2;
#pragma unroll
                    for (int n = 0; n < HEAD_DIM / 8; n++)
                        *reinterpret_cast<u32 *>(destination + n * 8) = pack2(sums[n * 4 + half * 2] * inverse, sums[n * 4 + half * 2 + 1] * inverse);
                }
            }
        }
#endif
    }
}
