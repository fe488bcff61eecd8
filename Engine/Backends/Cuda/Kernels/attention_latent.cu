// Latent attention: compressed vectors to the cache, and attention of tokens to them with the projections absorbed into the queries.
// In: query [tokens, HEADS * (CONTENT + ROPE)], compressed [tokens, LATENT + ROPE], cache [blocks, BLOCK_SIZE, CACHED]. Out: position parts turned in place, cache; projected [tokens, HEADS, LATENT], queries then sums.
// Grid: one CTA of 256 threads a token (store_latent); (tokens * groups of heads, parts of the context) x 256 (attention_latent); tokens * heads x 128 (merge_latent).
// Source: DeepSeek-AI 2024 (DeepSeek-V2), section 2.1.2; Dao et al. 2023 (flash-decoding). All heads share a token's vector, so heads are the rows of the products.
// Test: tests/Engine.GpuTests/Kernels/LatentParityTests.cs, tests/Engine.GpuTests/reference/latent_check.py
#include "primitives.cuh"

#ifndef HEADS
#define HEADS 128
#endif
#ifndef CONTENT
#define CONTENT 128                              // of a head's query without position
#endif
#ifndef ROPE
#define ROPE 64
#endif
#ifndef LATENT
#define LATENT 512
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 64
#endif
// 1: rotation pairs neighbours. 0: dimension i with i + ROPE / 2.
#ifndef INTERLEAVED
#define INTERLEAVED 1
#endif
// 2: the next tile of vectors is on its way while one is worked on. 1: for devices with little shared memory.
#ifndef STAGES
#define STAGES 2
#endif

#define CACHED ((LATENT + ROPE + 15) / 16 * 16)  // a cached row, padded with zeros
#define QUERY (CONTENT + ROPE)
#define WARPS 8
#define ROW_TILE (HEADS <= 16 ? 16 : 32)         // heads of a CTA
#define GROUPS ((HEADS + ROW_TILE - 1) / ROW_TILE)
#define KEY_TILE 32
#define ROW (CACHED + 8)                         // padded by 16 bytes: ldmatrix without bank conflicts
#define SCORE_ROW (KEY_TILE + 4)
#define WEIGHT_ROW (KEY_TILE + 8)
#define MTILES (ROW_TILE / 16)
#define KSTEPS (CACHED / 16)
#define PAIRS ((LATENT + 15) / 16)               // 16 columns of the sums
#define OWN_PAIRS ((PAIRS + WARPS - 1) / WARPS)
#define OWN_ROWS (ROW_TILE / WARPS)
#define PART (LATENT + 2)                        // an unfinished result: weighted sums, maximum, sum

static_assert(CONTENT % 8 == 0 && ROPE % 8 == 0 && LATENT % 8 == 0, "rows are read 16 bytes at a time");

__device__ __forceinline__ void turn(elem *part, int pair, float2 t)
{
#if INTERLEAVED
    u32 *place = reinterpret_cast<u32 *>(part) + pair;
    const float a = low_half(*place), b = high_half(*place);
    *place = pack2(a * t.x - b * t.y, b * t.x + a * t.y);
#else
    const float a = to_float(part[pair]), b = to_float(part[pair + ROPE / 2]);
    part[pair] = from_float(a * t.x - b * t.y);
    part[pair + ROPE / 2] = from_float(b * t.x + a * t.y);
#endif
}

// Norms the latent part, turns the position parts of queries and key, stores at the token's slot. cosSin: [rows, ROPE / 2].
extern "C" __global__ void __launch_bounds__(WARPS * 32) store_latent(elem *__restrict__ query, elem *__restrict__ compressed, elem *__restrict__ cache,
    const elem *__restrict__ norm, const float2 *__restrict__ cosSin, const int *__restrict__ angleRows, const int *__restrict__ slots, float epsilon)
{
    allow_next();
    wait_for_previous();
    __shared__ float partial[WARPS];
    const u64 token = blockIdx.x;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    elem *row = compressed + token * (LATENT + ROPE);
    elem *destination = cache + (u64)slots[token] * CACHED;
    const float2 *table = cosSin + (u64)angleRows[token] * (ROPE / 2);
    float squares = 0.f;
    for (int i = threadIdx.x; i < LATENT; i += WARPS * 32)
    {
        const float x = to_float(row[i]);
        squares += x * x;
    }
    squares = warp_sum(squares);
    if (lane == 0)
        partial[warp] = squares;
    for (int i = threadIdx.x; i < ROPE / 2; i += WARPS * 32)
        turn(row + LATENT, i, table[i]);
    __syncthreads();
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < WARPS; w++)
        sum += partial[w];
    const float inverse = rsqrtf(sum / LATENT + epsilon);
    for (int i = threadIdx.x; i < CACHED; i += WARPS * 32)
        destination[i] = i < LATENT ? from_float(to_float(row[i]) * inverse * to_float(norm[i])) : i < LATENT + ROPE ? row[i] : (elem)0;
    elem *queries = query + token * HEADS * QUERY;
    for (int i = threadIdx.x; i < HEADS * (ROPE / 2); i += WARPS * 32)
    {
        const int head = i / (ROPE / 2), pair = i - head * (ROPE / 2);
        turn(queries + head * QUERY + CONTENT, pair, table[pair]);
    }
}

// Rows of a CTA are heads of one token, which sees the vectors up to its own. With several parts of the context each leaves an unfinished
// result in parts [tokens * HEADS, gridDim.y, PART]; with one the sums take the queries' place. sequences: -1 is padding.
extern "C" __global__ void __launch_bounds__(WARPS * 32, 1) attention_latent(elem *projected, const elem *__restrict__ query, const elem *__restrict__ cache,
    const int *__restrict__ blockTables, const int *__restrict__ tableStride, const int *__restrict__ positions, const int *__restrict__ sequences,
    float *__restrict__ parts, float scaleLog2)
{
    allow_next();
    wait_for_previous();
    extern __shared__ __align__(16) elem shared[];
    elem *queryShared = shared;                                                     // [ROW_TILE, ROW]
    elem *keyShared = queryShared + ROW_TILE * ROW;                                 // [STAGES, KEY_TILE, ROW]
    elem *weightShared = keyShared + STAGES * KEY_TILE * ROW;                       // [ROW_TILE, WEIGHT_ROW]
    float *scores = reinterpret_cast<float *>(weightShared + ROW_TILE * WEIGHT_ROW);   // [ROW_TILE, SCORE_ROW]
    float *corrections = scores + ROW_TILE * SCORE_ROW;                             // [ROW_TILE]
    float *totals = corrections + ROW_TILE;                                         // [ROW_TILE]
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int token = blockIdx.x / GROUPS, firstHead = (blockIdx.x - token * GROUPS) * ROW_TILE;
    const int sequence = sequences[token];
    if (sequence < 0)
        return;
    const int context = positions[token] + 1;
    const int *table = blockTables + sequence * *tableStride;
    const int tiles = (context + KEY_TILE - 1) / KEY_TILE, split = blockIdx.y, splits = gridDim.y;
    const int begin = (int)((u64)tiles * split / splits), end = (int)((u64)tiles * (split + 1) / splits);
    if (begin == end)
    {
        // A part without vectors: more parts than tiles.
        if (threadIdx.x < ROW_TILE && firstHead + (int)threadIdx.x < HEADS)
        {
            float *part = parts + ((u64)(token * HEADS + firstHead + threadIdx.x) * splits + split) * PART;
            part[LATENT] = NEG_INF;
            part[LATENT + 1] = 0.f;
        }
        return;
    }

    for (int i = threadIdx.x; i < ROW_TILE * (CACHED / 8); i += WARPS * 32)
    {
        const int r = i / (CACHED / 8), d = i % (CACHED / 8) * 8, head = firstHead + r;
        const bool valid = head < HEADS && d < LATENT + ROPE;
        const elem *source = projected;
        if (valid)
            source = d < LATENT ? projected + (u64)(token * HEADS + head) * LATENT + d : query + (u64)(token * HEADS + head) * QUERY + CONTENT + d - LATENT;
        copy16_async(shared_address(queryShared + r * ROW + d), source, valid);
    }
    const u32 keyBase = shared_address(keyShared);
    auto load = [&](int tile, int stage) {
        for (int i = threadIdx.x; i < KEY_TILE * (CACHED / 8); i += WARPS * 32)
        {
            const int r = i / (CACHED / 8), d = i % (CACHED / 8) * 8, key = tile * KEY_TILE + r;
            const bool valid = key < context;
            const elem *source = valid ? cache + ((u64)table[key / BLOCK_SIZE] * BLOCK_SIZE + key % BLOCK_SIZE) * CACHED + d : cache;
            copy16_async(keyBase + ((stage * KEY_TILE + r) * ROW + d) * 2, source, valid);
        }
        commit_copies();
    };
    load(begin, 0);

    float sums[MTILES][OWN_PAIRS][2][4] = {};
    float maximum[OWN_ROWS], total[OWN_ROWS];    // of the rows that this warp's softmax has
#pragma unroll
    for (int i = 0; i < OWN_ROWS; i++)
        maximum[i] = NEG_INF, total[i] = 0.f;
    const u32 queryAddress = shared_address(queryShared + (warp / 4 * 16 + (lane & 15)) * ROW + (lane >> 4) * 8);
    const u32 keyOffset = ((warp % 4 * 8 + (lane & 7)) * ROW + (lane >> 3) * 8) * 2;
    const u32 valueOffset = (((lane & 7) + (((lane >> 3) & 1) << 3)) * ROW + (lane >> 4) * 8) * 2;
    const u32 weightAddress = shared_address(weightShared + (lane & 15) * WEIGHT_ROW + (lane >> 4) * 8);

    for (int tile = begin; tile < end; tile++)
    {
        const int stage = STAGES == 2 ? (tile - begin) & 1 : 0;
        wait_copies<0>();
        __syncthreads();
        if (STAGES == 2 && tile + 1 < end)
            load(tile + 1, stage ^ 1);
        const u32 keyStage = keyBase + stage * KEY_TILE * ROW * 2;

        // scores[16 heads, 8 vectors] of a warp
        if (warp / 4 < MTILES)
        {
            float s[4] = {};
#pragma unroll
            for (int k = 0; k < KSTEPS; k += 2)
            {
                u32 a0, a1, a2, a3, b0, b1, b2, b3;
                ldmatrix4(b0, b1, b2, b3, keyStage + keyOffset + k * 32);    // of an odd last step half is not looked at
                ldmatrix4(a0, a1, a2, a3, queryAddress + k * 32);
                mma(s, a0, a1, a2, a3, b0, b1);
                if (k + 1 < KSTEPS)
                {
                    ldmatrix4(a0, a1, a2, a3, queryAddress + k * 32 + 32);
                    mma(s, a0, a1, a2, a3, b2, b3);
                }
            }
            float *place = scores + (warp / 4 * 16 + (lane >> 2)) * SCORE_ROW + warp % 4 * 8 + (lane & 3) * 2;
            *reinterpret_cast<float2 *>(place) = make_float2(s[0], s[1]);
            *reinterpret_cast<float2 *>(place + 8 * SCORE_ROW) = make_float2(s[2], s[3]);
        }
        __syncthreads();

        // A lane has one vector of each of the warp's rows.
        const bool seen = tile * KEY_TILE + lane < context;
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++)
        {
            const int r = warp * OWN_ROWS + i;
            const float s = seen ? scores[r * SCORE_ROW + lane] * scaleLog2 : NEG_INF;
            const float best = fmaxf(maximum[i], warp_max(s));
            const float correction = exp2_fast(maximum[i] - best), p = seen ? exp2_fast(s - best) : 0.f;
            maximum[i] = best;
            total[i] = total[i] * correction + warp_sum(p);
            weightShared[r * WEIGHT_ROW + lane] = from_float(p);
            if (lane == 0)
                corrections[r] = correction;
        }
        __syncthreads();

        u32 w[MTILES][KEY_TILE / 16][4];
#pragma unroll
        for (int m = 0; m < MTILES; m++)
        {
            const float low = corrections[m * 16 + (lane >> 2)], high = corrections[m * 16 + 8 + (lane >> 2)];
#pragma unroll
            for (int k = 0; k < KEY_TILE / 16; k++)
                ldmatrix4(w[m][k][0], w[m][k][1], w[m][k][2], w[m][k][3], weightAddress + (m * 16 * WEIGHT_ROW + k * 16) * 2);
#pragma unroll
            for (int p = 0; p < OWN_PAIRS; p++)
#pragma unroll
                for (int n = 0; n < 2; n++)
                    sums[m][p][n][0] *= low, sums[m][p][n][1] *= low, sums[m][p][n][2] *= high, sums[m][p][n][3] *= high;
        }
#pragma unroll
        for (int p = 0; p < OWN_PAIRS; p++)
        {
            const int pair = warp + p * WARPS;
            if (pair >= PAIRS)
                break;
#pragma unroll
            for (int k = 0; k < KEY_TILE / 16; k++)
            {
                u32 b0, b1, b2, b3;
                ldmatrix4_trans(b0, b1, b2, b3, keyStage + valueOffset + (k * 16 * ROW + pair * 16) * 2);
#pragma unroll
                for (int m = 0; m < MTILES; m++)
                {
                    mma(sums[m][p][0], w[m][k][0], w[m][k][1], w[m][k][2], w[m][k][3], b0, b1);
                    mma(sums[m][p][1], w[m][k][0], w[m][k][1], w[m][k][2], w[m][k][3], b2, b3);
                }
            }
        }
        if (STAGES == 1 && tile + 1 < end)
        {
            __syncthreads();
            load(tile + 1, 0);
        }
    }

    if (lane == 0)
    {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++)
        {
            const int r = warp * OWN_ROWS + i;
            totals[r] = total[i];
            if (splits > 1 && firstHead + r < HEADS)
            {
                float *part = parts + ((u64)(token * HEADS + firstHead + r) * splits + split) * PART;
                part[LATENT] = maximum[i];
                part[LATENT + 1] = total[i];
            }
        }
    }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < MTILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            const int r = m * 16 + half * 8 + (lane >> 2), head = firstHead + r;
            if (head >= HEADS)
                continue;
            const float inverse = 1.f / totals[r];
#pragma unroll
            for (int p = 0; p < OWN_PAIRS; p++)
#pragma unroll
                for (int n = 0; n < 2; n++)
                {
                    const int column = (warp + p * WARPS) * 16 + n * 8 + (lane & 3) * 2;
                    if (column >= LATENT)
                        continue;
                    const float x = sums[m][p][n][half * 2], y = sums[m][p][n][half * 2 + 1];
                    if (splits > 1)
                        *reinterpret_cast<float2 *>(parts + ((u64)(token * HEADS + head) * splits + split) * PART + column) = make_float2(x, y);
                    else
                        *reinterpret_cast<u32 *>(projected + (u64)(token * HEADS + head) * LATENT + column) = pack2(x * inverse, y * inverse);
                }
        }
}

// Puts the parts of a context together. Grid: tokens * HEADS.
extern "C" __global__ void __launch_bounds__(128) merge_latent(elem *__restrict__ projected, const float *__restrict__ parts, const int *__restrict__ sequences, int splits)
{
    allow_next();
    wait_for_previous();
    if (sequences[blockIdx.x / HEADS] < 0)
        return;
    const float *own = parts + (u64)blockIdx.x * splits * PART;
    float best = NEG_INF, total = 0.f;
    for (int s = 0; s < splits; s++)
        best = fmaxf(best, own[s * PART + LATENT]);
    for (int s = 0; s < splits; s++)
        total += exp2_fast(own[s * PART + LATENT] - best) * own[s * PART + LATENT + 1];
    for (int d = threadIdx.x; d < LATENT; d += 128)
    {
        float value = 0.f;
        for (int s = 0; s < splits; s++)
            if (own[s * PART + LATENT + 1] > 0.f)    // what a part without vectors left is not looked at
                value += exp2_fast(own[s * PART + LATENT] - best) * own[s * PART + d];
        projected[(u64)blockIdx.x * LATENT + d] = from_float(value / total);
    }
}
