// Attention of one new token per sequence over its paged keys and values (flash-decoding, GQA packed, split over the context).
// In: qkv [tokens, (heads + 2 kvHeads) * HEAD_DIM] with rotated queries; keys, values as kv_cache.cuh has them. Out: [tokens, heads * HEAD_DIM].
// Grid: any number of CTAs (a few per multiprocessor), 128 threads; each takes an equal share of all tiles of 64 tokens, which attention_decode_starts finds once a step.
// BULK_COPIES: Hopper's copy engine brings the rows of a warp's 16 tokens at once; head dims that are multiples of 64.
// Source: Dao et al. 2023 (flash-decoding); stream-K work split; merge by the last CTA to arrive.
// Test: tests/Engine.GpuTests/Kernels/KernelParityTests.cs, AttentionFeatureTests.cs
#include "primitives.cuh"
#include "kv_cache.cuh"
#if BULK_COPIES
#include "hopper.cuh"
#endif

#ifndef GROUP
#define GROUP 4
#endif

#define WARPS 4
#define WARP_TOKENS 16
#define TILE (WARPS * WARP_TOKENS)
#ifndef STAGES
#define STAGES (HEAD_DIM > 128 ? 2 : HEAD_DIM > 96 ? 3 : 4)
#endif
#define PADDED ((HEAD_DIM + 15) / 16 * 16)       // whole steps of the tensor cores: zeros in shared memory
#define ROW (PADDED + 8)                         // padded by 16 bytes: ldmatrix without bank conflicts
#if BULK_COPIES
#define SHARED_ROW HEAD_DIM
#else
#define SHARED_ROW ROW
#endif
#define STAGE_ELEMS (2 * WARP_TOKENS * SHARED_ROW)            // keys, then values, of one warp
#define KSTEPS (PADDED / 16)
#define NTILES (PADDED / 8)
#define CHUNKS (PADDED / 8)                      // 16-byte chunks of a row
#define PART_FLOATS ((GROUP * (HEAD_DIM + 2) + 3) / 4 * 4)    // an unfinished result: weighted sums, then maximum and sum of each query
#define MERGED_AT_ONCE (HEAD_DIM > 128 ? 2 : 8)   // parts whose loads are sent together
#define HIGH_ROWS (GROUP > 8)

// What a head's sink takes of the softmax: a score that has no value behind it.
#if SINKS
#define SINK_SHARE(row, best) exp2_fast(to_float(sinks[compute.head * GROUP + (row)]) * LOG2E - (best))
#else
#define SINK_SHARE(row, best) 0.f
#endif

static_assert(GROUP <= 16, "more than 16 query heads per key head are split into several groups by the caller");
static_assert(BLOCK_SIZE % WARP_TOKENS == 0, "a warp's tokens lie in one block");

// Where 8 elements of a row of keys or values lie.
__device__ __forceinline__ u32 chunk_address(u32 base, int row, int chunk)
{
#if BULK_COPIES
    static_assert(HEAD_DIM % 64 == 0, "rows of the cache that have no banks in common");
    return base + (row * HEAD_DIM + (chunk * 8 ^ cache_swizzle(row))) * 2;
#else
    return base + (row * ROW + chunk * 8) * 2;
#endif
}

struct Cursor
{
    int item;       // sequence of the work list
    int head;       // key/value head
    int tile;       // tile inside the (item, head)
    int tiles;      // tiles of the item
    int sequence;
    int context;    // tokens to attend to
    int first;      // first token inside the window
};

struct Work
{
    const int *sequences;     // [items]
    const int *tileStarts;    // [items + 1] prefix sum of tiles per (item, head)
    const int *contexts;      // [sequences]
    int window;               // 0: none
};

__device__ __forceinline__ void load_item(Cursor &c, const Work &w)
{
    c.sequence = w.sequences[c.item];
    c.tiles = w.tileStarts[c.item + 1] - w.tileStarts[c.item];
    c.context = w.contexts[c.sequence];
    c.first = w.window > 0 && c.context > w.window ? c.context - w.window : 0;
}

__device__ __forceinline__ void advance(Cursor &c, const Work &w, int items, int heads)
{
    if (++c.tile < c.tiles)
        return;
    c.tile = 0;
    if (++c.head < heads)
        return;
    c.head = 0;
    if (++c.item < items)
        load_item(c, w);
}

__device__ __forceinline__ void add_scaled(float4 &sum, const float4 &x, float factor)
{
    sum.x += factor * x.x, sum.y += factor * x.y, sum.z += factor * x.z, sum.w += factor * x.w;
}

__device__ __forceinline__ void store_divided(elem *out, const float4 &x, float divisor)
{
    *reinterpret_cast<uint2 *>(out) = make_uint2(pack2(x.x / divisor, x.y / divisor), pack2(x.z / divisor, x.w / divisor));
}

// Where a CTA's share of the tiles begins; the same in all layers of a step that have one window.
struct alignas(16) Start
{
    int remaining, item, head, tile;
    int tiles, sequence, context, first;
    int share, extra, items, tableStride;
    int4 blocks;                                 // of the first tile, by warp
};

// starts [CTAs of attention_decode], for all of them to read as soon as they start. Grid: as many warps, one to a CTA.
extern "C" __global__ void __launch_bounds__(32) attention_decode_starts(Start *__restrict__ starts,
    const int *__restrict__ blockTables, const int *__restrict__ contexts, const int *__restrict__ workSequences, const int *__restrict__ tileStarts,
    const int *__restrict__ itemCount, const int *__restrict__ tableStride, int kvHeads, int window)
{
    wait_for_previous();
    const int lane = threadIdx.x, cta = blockIdx.x;
    const int items = *itemCount, maxBlocks = *tableStride;
    const Work work = { workSequences, tileStarts, contexts, window };
    const int totalTiles = items > 0 ? tileStarts[items] * kvHeads : 0;
    // Shares differ by at most one tile.
    const int share = totalTiles / gridDim.x, extra = totalTiles % gridDim.x;
    const int begin = cta * share + min(cta, extra), remaining = share + (cta < extra ? 1 : 0);
    Start start = { remaining };
    if (remaining > 0)
    {
        // The item that holds tile `begin`: the lanes look at 32 at once.
        int low = 0, high = items;
        do
        {
            const int step = (high - low + 31) / 32, at = low + lane * step;
            const int before = at < high ? tileStarts[at] : 0;
            low += step * (__popc(__ballot_sync(0xffffffffu, at < high && before * kvHeads <= begin)) - 1);
            high = min(high, low + step);
        } while (high - low > 1);
        Cursor c;
        c.item = low;
        load_item(c, work);
        const int inside = begin - tileStarts[low] * kvHeads;
        c.head = inside / c.tiles;
        c.tile = inside - c.head * c.tiles;
        const int at = (c.first / TILE + c.tile) * TILE + (lane & 3) * WARP_TOKENS;
        const int block = at < c.context ? blockTables[c.sequence * maxBlocks + at / BLOCK_SIZE] : 0;
        start = { remaining, c.item, c.head, c.tile, c.tiles, c.sequence, c.context, c.first, share, extra, items, maxBlocks,
            make_int4(__shfl_sync(0xffffffffu, block, 0), __shfl_sync(0xffffffffu, block, 1), __shfl_sync(0xffffffffu, block, 2), __shfl_sync(0xffffffffu, block, 3)) };
    }
    if (lane == 0)
    {
        starts[cta] = start;
        __threadfence();
    }
    // Not earlier: should attention be the next kernel, it reads this before it waits.
    __syncwarp();
    allow_next();
}

extern "C" __global__ void __launch_bounds__(WARPS * 32, 2) attention_decode(
    elem *__restrict__ output, const elem *__restrict__ qkv,
    const elem *__restrict__ keys, const elem *__restrict__ values,
    const int *__restrict__ blockTables, const int *__restrict__ queryStarts,
    const int *__restrict__ contexts, const int *__restrict__ workSequences, const int *__restrict__ tileStarts,
    const Start *__restrict__ starts, float *__restrict__ parts, int *__restrict__ arrivals,
    int kvHeads, int window, float scaleLog2, int nextMayStart
#if SOFT_CAP || SINKS
    , float capSlope, float capLog2, const elem *__restrict__ sinks     // cap: as soft_cap takes them, to base 2
#endif
    )
{
    // A kernel that comes early where few sequences leave room reads its weights ahead. Otherwise its CTAs would crowd where
    // attention ends first, and equal shares would no longer take equal time.
    if (nextMayStart)
        allow_next();
    extern __shared__ __align__(128) unsigned char raw[];
#if BULK_COPIES
    // From a line of 128 bytes on: the copy engine takes a sixth longer to write lines in two parts.
    elem *shared = reinterpret_cast<elem *>(raw + (-shared_address(raw) & 127));
    __shared__ __align__(8) u64 fullBarriers[WARPS][STAGES];
#else
    elem *shared = reinterpret_cast<elem *>(raw);
#endif
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    // The step's integers were there before its first kernel began; so were the keys and values of all tokens but the newest.
    // One look tells all: every load that waits for another costs as much as a tile.
    const int cta = blockIdx.x;
    const Start begin = starts[cta];
    int remaining = begin.remaining;
    if (remaining == 0)
    {
        wait_for_previous();
        return;
    }
    const int items = begin.items, maxBlocks = begin.tableStride, share = begin.share, extra = begin.extra;
    const Work work = { workSequences, tileStarts, contexts, window };
    const int heads = kvHeads * GROUP;
    const int qkvRow = (heads + 2 * kvHeads) * HEAD_DIM;
    Cursor compute = { begin.item, begin.head, begin.tile, begin.tiles, begin.sequence, begin.context, begin.first };
    Cursor load = compute;
    int toLoad = remaining;

    elem *warpShared = shared + warp * STAGES * STAGE_ELEMS;
    const u32 warpAddress = shared_address(warpShared);
    float *mergeSums = reinterpret_cast<float *>(shared + WARPS * STAGES * STAGE_ELEMS);    // [WARPS, GROUP, HEAD_DIM]
    float *mergeMax = mergeSums + WARPS * GROUP * HEAD_DIM;                                   // [WARPS, GROUP]
    float *mergeSum = mergeMax + WARPS * GROUP;                                               // [WARPS, GROUP]
    __shared__ int isLast;

    int loadStage = 0, loadBlock = 0;
#if BULK_COPIES
    const u32 full = shared_address(fullBarriers[warp]);
    if (lane == 0)
    {
        for (int i = 0; i < STAGES; i++)
            barrier_init(full + i * 8, 1);
        publish_barriers();
    }
    __syncwarp();
#endif
    auto load_start = [&]() { return (load.first / TILE + load.tile) * TILE; };
    // The block of the tile that is loaded next: asked for one tile ahead, so that nobody waits for the table.
    auto locate = [&]() {
        int start = load_start() + warp * WARP_TOKENS;
        if (toLoad > 0 && start < load.context)
            loadBlock = blockTables[load.sequence * maxBlocks + start / BLOCK_SIZE];
    };
    loadBlock = warp == 0 ? begin.blocks.x : warp == 1 ? begin.blocks.y : warp == 2 ? begin.blocks.z : begin.blocks.w;
    auto issue = [&]() {
        if (toLoad > 0)
        {
            int start = load_start() + warp * WARP_TOKENS;
            const u64 base = cache_offset(loadBlock * BLOCK_SIZE + start % BLOCK_SIZE, load.head, kvHeads);
            const u32 destination = warpAddress + loadStage * STAGE_ELEMS * 2;
#if BULK_COPIES
            if (lane == 0)
            {
                const u32 barrier = full + loadStage * 8;
                if (start < load.context)
                {
                    barrier_expect(barrier, STAGE_ELEMS * 2);
                    bulk_copy(destination, keys + base, STAGE_ELEMS, barrier);
                    bulk_copy(destination + STAGE_ELEMS, values + base, STAGE_ELEMS, barrier);
                }
                else
                    barrier_arrive(barrier);
            }
#else
#pragma unroll
            for (int i = lane; i < WARP_TOKENS * CHUNKS; i += 32)
            {
                int row = i / CHUNKS, chunk = i % CHUNKS;
                bool valid = start + row < load.context && (PADDED == HEAD_DIM || chunk * 8 < HEAD_DIM);
                u64 offset = base + row * HEAD_DIM + (chunk * 8 ^ cache_swizzle(row));
                copy16_async_256(chunk_address(destination, row, chunk), keys + offset, valid);
                copy16_async_256(chunk_address(destination + STAGE_ELEMS, row, chunk), values + offset, valid);
            }
#endif
            toLoad--;
            advance(load, work, items, kvHeads);
            locate();
            loadStage = loadStage + 1 == STAGES ? 0 : loadStage + 1;
        }
#if !BULK_COPIES
        commit_copies();
#endif
    };

    int issued = 0;
#pragma unroll 1
    for (; issued < STAGES - 1 && (toLoad == 0 || load_start() + TILE < load.context); issued++)
        issue();
    wait_for_previous();
#pragma unroll 1
    for (; issued < STAGES - 1; issued++)
        issue();

    u32 query[KSTEPS][HIGH_ROWS ? 4 : 2];
    float sums[NTILES][4];
    float maximum[2], total[2];
    bool fresh = true;
    int partFirstTile = compute.tile;
    bool firstItem = true;
    int stage = 0, phase = 0;

    while (remaining > 0)
    {
        if (fresh)
        {
            fresh = false;
            const elem *q = qkv + (u64)queryStarts[compute.sequence] * qkvRow + compute.head * GROUP * HEAD_DIM;
            int row = lane >> 2, column = (lane & 3) * 2;
#pragma unroll
            for (int k = 0; k < KSTEPS; k++)
            {
                const elem *p = q + row * HEAD_DIM + k * 16 + column;
                bool low = row < GROUP;
                query[k][0] = low ? *reinterpret_cast<const u32 *>(p) : 0;
                bool upper = PADDED == HEAD_DIM || k * 16 + 8 < HEAD_DIM;
                query[k][1] = low && upper ? *reinterpret_cast<const u32 *>(p + 8) : 0;
#if HIGH_ROWS
                bool high = row + 8 < GROUP;
                query[k][2] = high ? *reinterpret_cast<const u32 *>(p + 8 * HEAD_DIM) : 0;
                query[k][3] = high && upper ? *reinterpret_cast<const u32 *>(p + 8 * HEAD_DIM + 8) : 0;
#endif
            }
#pragma unroll
            for (int n = 0; n < NTILES; n++)
                sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0.f;
            maximum[0] = maximum[1] = NEG_INF;
            total[0] = total[1] = 0.f;
        }

#if BULK_COPIES
        barrier_wait(full + stage * 8, phase);
#else
        wait_copies<STAGES - 2>();
#endif
        __syncwarp();
        // Into the stage of the tile before, which all lanes have read. Large heads have no registers left while they compute.
        if (HEAD_DIM <= 128)
            issue();
        const u32 keyAddress = warpAddress + stage * STAGE_ELEMS * 2;
        const u32 valueAddress = keyAddress + STAGE_ELEMS;
        const int start = (compute.first / TILE + compute.tile) * TILE + warp * WARP_TOKENS;
#if BULK_COPIES
        // Copies bring all 16 tokens: what is beyond the context may be anything, and anything times a weight of 0 need not be 0.
        if (start < compute.context && start + WARP_TOKENS > compute.context)
        {
            elem *beyond = warpShared + stage * STAGE_ELEMS + STAGE_ELEMS / 2 + (compute.context - start) * HEAD_DIM;
            for (int i = lane; i < (start + WARP_TOKENS - compute.context) * CHUNKS; i += 32)
                *reinterpret_cast<uint4 *>(beyond + i * 8) = make_uint4(0, 0, 0, 0);
            fence_async_proxy();
            __syncwarp();
        }
#endif
        // A warp has nothing to do where the tile's last tokens are beyond the context.
        if (start < compute.context)
        {
            // scores[16 queries, 16 tokens]
            float scores[2][4] = {};
            {
                // matrices: tokens 0-7 and 8-15, each with dims 0-7 and 8-15 of the step
                int row = (lane & 7) + ((lane >> 4) << 3);
#pragma unroll
                for (int k = 0; k < KSTEPS; k++)
                {
                    u32 b0, b1, b2, b3;
                    ldmatrix4(b0, b1, b2, b3, chunk_address(keyAddress, row, 2 * k + ((lane >> 3) & 1)));
#if HIGH_ROWS
                    mma(scores[0], query[k][0], query[k][2], query[k][1], query[k][3], b0, b1);
                    mma(scores[1], query[k][0], query[k][2], query[k][1], query[k][3], b2, b3);
#else
                    mma(scores[0], query[k][0], 0, query[k][1], 0, b0, b1);
                    mma(scores[1], query[k][0], 0, query[k][1], 0, b2, b3);
#endif
                }
            }

            int token = start + (lane & 3) * 2;
            bool ragged = start + WARP_TOKENS > compute.context || start < compute.first;
#pragma unroll
            for (int half = 0; half < (HIGH_ROWS ? 2 : 1); half++)
            {
                float best = maximum[half];
#pragma unroll
                for (int n = 0; n < 2; n++)
#pragma unroll
                    for (int j = 0; j < 2; j++)
                    {
#if SOFT_CAP
                        float s = soft_cap(scores[n][half * 2 + j], capSlope, capLog2);
#else
                        float s = scores[n][half * 2 + j] * scaleLog2;
#endif
                        int t = token + n * 8 + j;
                        if (ragged && (t >= compute.context || t < compute.first))
                            s = NEG_INF;
                        scores[n][half * 2 + j] = s;
                        best = fmaxf(best, s);
                    }
                best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 1));
                best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, 2));
                float correction = exp2_fast(maximum[half] - best);
                maximum[half] = best;
                // a tile wholly outside the context leaves best at NEG_INF: its weights must be 0, not exp2(0)
                float reference = best <= NEG_INF ? 0.f : best;
                float sum = 0.f;
#pragma unroll
                for (int n = 0; n < 2; n++)
#pragma unroll
                    for (int j = 0; j < 2; j++)
                    {
                        float p = exp2_fast(scores[n][half * 2 + j] - reference);
                        scores[n][half * 2 + j] = p;
                        sum += p;
                    }
                total[half] = total[half] * correction + sum;
#pragma unroll
                for (int n = 0; n < NTILES; n++)
                {
                    sums[n][half * 2] *= correction;
                    sums[n][half * 2 + 1] *= correction;
                }
            }

            {
                u32 p0 = pack2(scores[0][0], scores[0][1]);
                u32 p2 = pack2(scores[1][0], scores[1][1]);
#if HIGH_ROWS
                u32 p1 = pack2(scores[0][2], scores[0][3]), p3 = pack2(scores[1][2], scores[1][3]);
#else
                u32 p1 = 0, p3 = 0;
#endif
                // transposed matrices: dims 0-7 and 8-15 of the pair, each with tokens 0-7 and 8-15
                int row = (lane & 7) + (((lane >> 3) & 1) << 3);
#pragma unroll
                for (int n = 0; n < NTILES; n += 2)
                {
                    u32 b0, b1, b2, b3;
                    ldmatrix4_trans(b0, b1, b2, b3, chunk_address(valueAddress, row, n + (lane >> 4)));
                    mma(sums[n], p0, p1, p2, p3, b0, b1);
                    mma(sums[n + 1], p0, p1, p2, p3, b2, b3);
                }
            }
        }
        if (HEAD_DIM > 128)
            issue();
        stage = stage + 1 == STAGES ? 0 : stage + 1;
        phase ^= stage == 0;
        remaining--;

        bool endOfItem = compute.tile + 1 == compute.tiles;
        if (endOfItem || remaining == 0)
        {
            // The four warps saw different tokens: merge them.
#pragma unroll
            for (int half = 0; half < (HIGH_ROWS ? 2 : 1); half++)
            {
                float sum = total[half];
                sum += __shfl_xor_sync(0xffffffffu, sum, 1);
                sum += __shfl_xor_sync(0xffffffffu, sum, 2);
                int row = (lane >> 2) + half * 8;
                if (row < GROUP)
                {
                    float *destination = mergeSums + (warp * GROUP + row) * HEAD_DIM + (lane & 3) * 2;
#pragma unroll
                    for (int n = 0; n < HEAD_DIM / 8; n++)
                        *reinterpret_cast<float2 *>(destination + n * 8) = make_float2(sums[n][half * 2], sums[n][half * 2 + 1]);
                    if ((lane & 3) == 0)
                    {
                        mergeMax[warp * GROUP + row] = maximum[half];
                        mergeSum[warp * GROUP + row] = sum;
                    }
                }
            }
            __syncthreads();

            bool whole = partFirstTile == 0 && endOfItem;
            elem *out = output + (u64)queryStarts[compute.sequence] * heads * HEAD_DIM + compute.head * GROUP * HEAD_DIM;
            float *part = parts + (u64)(cta * 2 + (firstItem ? 0 : 1)) * PART_FLOATS;
            for (int i = threadIdx.x * 4; i < GROUP * HEAD_DIM; i += WARPS * 32 * 4)
            {
                int row = i / HEAD_DIM;
                float best = NEG_INF;
#pragma unroll
                for (int w = 0; w < WARPS; w++)
                    best = fmaxf(best, mergeMax[w * GROUP + row]);
                float4 value = make_float4(0.f, 0.f, 0.f, 0.f);
                float sum = 0.f;
#pragma unroll
                for (int w = 0; w < WARPS; w++)
                {
                    float f = exp2_fast(mergeMax[w * GROUP + row] - best);
                    add_scaled(value, *reinterpret_cast<const float4 *>(mergeSums + w * GROUP * HEAD_DIM + i), f);
                    sum += f * mergeSum[w * GROUP + row];
                }
                if (whole)
                {
                    store_divided(out + i, value, sum + SINK_SHARE(row, best));
                }
                else
                {
                    *reinterpret_cast<float4 *>(part + i) = value;
                    if (i % HEAD_DIM == 0)
                        *reinterpret_cast<float2 *>(part + GROUP * HEAD_DIM + row * 2) = make_float2(best, sum);
                }
            }

            if (!whole)
            {
                // Which CTAs share this (item, head): all whose tile ranges touch [itemBegin, itemEnd).
                int itemBegin = tileStarts[compute.item] * kvHeads + compute.head * compute.tiles;
                int itemEnd = itemBegin + compute.tiles;
                int wide = extra * (share + 1);
                auto owner = [&](int tile) { return tile < wide ? tile / (share + 1) : extra + (tile - wide) / share; };
                int firstCta = owner(itemBegin), lastCta = owner(itemEnd - 1);
                __threadfence();
                __syncthreads();
                if (threadIdx.x == 0)
                {
                    int *arrival = arrivals + compute.item * kvHeads + compute.head;
                    isLast = atomicAdd(arrival, 1) == lastCta - firstCta;
                    if (isLast)
                        *arrival = 0;
                }
                __syncthreads();
                if (isLast)
                {
                    __threadfence();
                    int firstBegin = firstCta * share + min(firstCta, extra);
                    for (int i = threadIdx.x * 4; i < GROUP * HEAD_DIM; i += WARPS * 32 * 4)
                    {
                        int row = i / HEAD_DIM;
                        float best = NEG_INF, sum = 0.f;
                        float4 value = make_float4(0.f, 0.f, 0.f, 0.f);
                        for (int c = firstCta; c <= lastCta; c += MERGED_AT_ONCE)
                        {
                            float2 stats[MERGED_AT_ONCE];
                            float4 values[MERGED_AT_ONCE];
#pragma unroll
                            for (int j = 0; j < MERGED_AT_ONCE; j++)
                            {
                                // The item is the first of every CTA but the one it starts in, unless it starts there exactly.
                                int slot = c + j == firstCta && firstBegin < itemBegin ? 1 : 0;
                                const float *p = parts + (u64)((c + j) * 2 + slot) * PART_FLOATS;
                                bool there = c + j <= lastCta;
                                stats[j] = there ? __ldcg(reinterpret_cast<const float2 *>(p + GROUP * HEAD_DIM + row * 2)) : make_float2(NEG_INF, 0.f);
                                values[j] = there ? __ldcg(reinterpret_cast<const float4 *>(p + i)) : make_float4(0.f, 0.f, 0.f, 0.f);
                            }
                            float next = best;
#pragma unroll
                            for (int j = 0; j < MERGED_AT_ONCE; j++)
                                next = fmaxf(next, stats[j].x);
                            float f = exp2_fast(best - next);
                            value = make_float4(value.x * f, value.y * f, value.z * f, value.w * f);
                            sum *= f;
                            best = next;
#pragma unroll
                            for (int j = 0; j < MERGED_AT_ONCE; j++)
                            {
                                f = exp2_fast(stats[j].x - next);
                                add_scaled(value, values[j], f);
                                sum += f * stats[j].y;
                            }
                        }
                        store_divided(out + i, value, sum + SINK_SHARE(row, best));
                    }
                }
            }
            __syncthreads();
            fresh = true;
            firstItem = false;
            partFirstTile = 0;
        }
        advance(compute, work, items, kvHeads);
    }
#if !BULK_COPIES
    wait_copies<0>();
#endif
}
