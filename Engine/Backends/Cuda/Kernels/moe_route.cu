// Around the products of a mixture of experts: which experts a token goes to and with what weight, rows sorted by expert, the weighted sum.
// In: router logits [tokens, experts] float32, its bias, a bias that only chooses (float32), experts' results [rows, hidden]. Out: experts, weights [tokens, chosen] in rising order; rows; [tokens, hidden].
// Grid: a warp a token (choose_experts); one CTA of 1024 threads (sort_by_expert), which counts so that nobody reads back; (tokens, pieces of 8 x 256) (combine_experts).
// Source: Shazeer et al. 2017 (top-k), DeepSeek-AI 2024 (V2: groups; V3: sigmoid scores, bias); as Engine/Backends/Cpu/ExpertChoiceJob.cs.
// Test: tests/Engine.GpuTests/Kernels/MoeParityTests.cs, tests/Engine.GpuTests/reference/moe_check.py
#include "primitives.cuh"

#define SOFTMAX 0                                // as ExpertScoring counts
#define SIGMOID 1
#define SOFTMAX_OF_CHOSEN 2
#define TINY 1e-20f                              // keeps a sum of scores that all vanish from dividing by zero

#define MINUS_INFINITY __uint_as_float(0xff800000u)

// Grows with the number; what is not one counts as minus infinity. 0 is left for what may not be chosen.
__device__ __forceinline__ u32 order_of(float x)
{
    const u32 bits = __float_as_uint((x == x ? x : MINUS_INFINITY) + 0.f);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// The largest key's index, of equal ones the lowest; its key is set to 0. All lanes get it.
__device__ __forceinline__ int take_best(u32 *keys, int count, int lane)
{
    u64 best = 0;
    for (int i = lane; i < count; i += 32)
    {
        const u64 candidate = (u64)keys[i] << 32 | (0xffffffffu - (u32)i);
        best = candidate > best ? candidate : best;
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1)
    {
        const u64 other = __shfl_xor_sync(0xffffffffu, best, offset);
        best = other > best ? other : best;
    }
    const int index = (int)(0xffffffffu - (u32)best);
    if (lane == 0)
        keys[index] = 0;
    __syncwarp();
    return index;
}

// Tokens from *live on are padding of a recorded step: they go nowhere (expert -1). live may be null.
extern "C" __global__ void __launch_bounds__(32) choose_experts(int *__restrict__ experts, float *__restrict__ weights, const float *__restrict__ logits,
    const elem *__restrict__ routerBias, const float *__restrict__ choiceBias, const int *__restrict__ live, int firstToken,
    int expertCount, int chosen, int scoring, int groups, int chosenGroups, int bestTwo, int normalize, float scale)
{
    allow_next();
    wait_for_previous();
    extern __shared__ __align__(16) float shared[];
    float *scores = shared;                                             // [experts]
    u32 *keys = reinterpret_cast<u32 *>(scores + expertCount);          // [experts]
    u32 *groupKeys = keys + expertCount;                                // [groups]
    int *picked = reinterpret_cast<int *>(groupKeys + groups);          // [chosen]
    float *picks = reinterpret_cast<float *>(picked + chosen);          // [chosen]
    const int lane = threadIdx.x, token = blockIdx.x;
    experts += (u64)token * chosen;
    weights += (u64)token * chosen;
    if (live && firstToken + token >= *live)
    {
        for (int i = lane; i < chosen; i += 32)
            experts[i] = -1, weights[i] = 0.f;
        return;
    }

    logits += (u64)token * expertCount;
    float largest = MINUS_INFINITY;
    for (int e = lane; e < expertCount; e += 32)
    {
        const float logit = logits[e] + (routerBias ? to_float(routerBias[e]) : 0.f);
        scores[e] = scoring == SIGMOID ? 1.f / (1.f + expf(-logit)) : logit;
        largest = fmaxf(largest, logit);
    }
    if (scoring == SOFTMAX)
    {
        largest = warp_max(largest);
        float total = 0.f;
        for (int e = lane; e < expertCount; e += 32)
        {
            scores[e] = expf(scores[e] - largest);
            total += scores[e];
        }
        total = warp_sum(total);
        for (int e = lane; e < expertCount; e += 32)
            scores[e] /= total;
    }
    auto choice = [&](int e) { return scores[e] + (choiceBias ? choiceBias[e] : 0.f); };
    for (int e = lane; e < expertCount; e += 32)
        keys[e] = order_of(choice(e));
    __syncwarp();

    if (chosenGroups < groups)
    {
        const int size = expertCount / groups;
        for (int g = lane; g < groups; g += 32)
        {
            float best = MINUS_INFINITY, second = MINUS_INFINITY;
            for (int e = g * size; e < (g + 1) * size; e++)
            {
                const float value = choice(e);
                if (value > best)
                    second = best, best = value;
                else
                    second = fmaxf(second, value);
            }
            groupKeys[g] = order_of(bestTwo ? best + second : best);
        }
        __syncwarp();
        for (int i = 0; i < chosenGroups; i++)
            take_best(groupKeys, groups, lane);
        for (int e = lane; e < expertCount; e += 32)
            if (groupKeys[e / size] != 0)
                keys[e] = 0;
        __syncwarp();
    }

    for (int i = 0; i < chosen; i++)
    {
        const int best = take_best(keys, expertCount, lane);
        if (lane == 0)
            picked[i] = best;
    }
    __syncwarp();
    for (int i = lane; i < chosen; i += 32)
    {
        int rank = 0;
        for (int j = 0; j < chosen; j++)
            rank += picked[j] < picked[i];
        experts[rank] = picked[i];
        picks[rank] = scores[picked[i]];
    }
    __syncwarp();
    if (lane != 0)
        return;
    float factor = scale;
    if (scoring == SOFTMAX_OF_CHOSEN)
    {
        float most = MINUS_INFINITY, total = 0.f;
        for (int i = 0; i < chosen; i++)
            most = fmaxf(most, picks[i]);
        for (int i = 0; i < chosen; i++)
            total += picks[i] = expf(picks[i] - most);
        for (int i = 0; i < chosen; i++)
            picks[i] /= total;
    }
    if (normalize)
    {
        float sum = TINY;
        for (int i = 0; i < chosen; i++)
            sum += picks[i];
        factor /= sum;
    }
    for (int i = 0; i < chosen; i++)
        weights[i] = picks[i] * factor;
}

// Gives the pairs (token, chosen expert) rows so that an expert's lie together: rows[pair], rowTokens[row], starts[experts + 1]; and cuts an
// expert's rows into tiles: tileExperts, tileRows (first row), *tileCount. The order within an expert changes no result.
extern "C" __global__ void __launch_bounds__(1024) sort_by_expert(int *__restrict__ rows, int *__restrict__ rowTokens, int *__restrict__ starts,
    int *__restrict__ tileExperts, int *__restrict__ tileRows, int *__restrict__ tileCount, const int *__restrict__ experts,
    int pairs, int chosen, int expertCount, int tokenTile)
{
    allow_next();
    wait_for_previous();
    extern __shared__ __align__(16) int counts[];                       // [experts], later each expert's next row
    __shared__ int warpRows[32], warpTiles[32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int e = threadIdx.x; e < expertCount; e += 1024)
        counts[e] = 0;
    __syncthreads();
    for (int p = threadIdx.x; p < pairs; p += 1024)
        if (experts[p] >= 0)
            atomicAdd(&counts[experts[p]], 1);
    __syncthreads();

    // A thread has consecutive experts; sums before them come by a scan over the threads.
    const int each = (expertCount + 1023) / 1024, first = min((int)threadIdx.x * each, expertCount), end = min(first + each, expertCount);
    int ownRows = 0, ownTiles = 0;
    for (int e = first; e < end; e++)
        ownRows += counts[e], ownTiles += (counts[e] + tokenTile - 1) / tokenTile;
    int rowsBefore = ownRows, tilesBefore = ownTiles;
#pragma unroll
    for (int offset = 1; offset < 32; offset <<= 1)
    {
        const int a = __shfl_up_sync(0xffffffffu, rowsBefore, offset), b = __shfl_up_sync(0xffffffffu, tilesBefore, offset);
        if (lane >= offset)
            rowsBefore += a, tilesBefore += b;
    }
    if (lane == 31)
        warpRows[warp] = rowsBefore, warpTiles[warp] = tilesBefore;
    __syncthreads();
    int row = rowsBefore - ownRows, tile = tilesBefore - ownTiles;
    for (int w = 0; w < warp; w++)
        row += warpRows[w], tile += warpTiles[w];
    for (int e = first; e < end; e++)
    {
        const int count = counts[e];
        starts[e] = row;
        counts[e] = row;
        for (int t = 0; t < count; t += tokenTile)
        {
            tileExperts[tile] = e;
            tileRows[tile++] = row + t;
        }
        row += count;
    }
    if (threadIdx.x == 1023)
        starts[expertCount] = row, *tileCount = tile;
    __syncthreads();
    for (int p = threadIdx.x; p < pairs; p += 1024)
    {
        const int e = experts[p];
        const int to = e >= 0 ? atomicAdd(&counts[e], 1) : -1;
        rows[p] = to;
        if (to >= 0)
            rowTokens[to] = p / chosen;
    }
}

// output[token] = sum of weight * results[row] over the token's experts in rising order, + shared[token] where there is one.
extern "C" __global__ void __launch_bounds__(256) combine_experts(elem *__restrict__ output, const elem *__restrict__ results, const elem *__restrict__ shared,
    const int *__restrict__ rows, const float *__restrict__ weights, int chosen, int hidden)
{
    allow_next();
    wait_for_previous();
    const int chunk = blockIdx.y * 256 + threadIdx.x;
    if (chunk * 8 >= hidden)
        return;
    const u64 token = blockIdx.x;
    float sums[8] = {};
    auto add = [&](const elem *row, float weight) {
        const uint4 v = *reinterpret_cast<const uint4 *>(row + chunk * 8);
        const u32 *x = reinterpret_cast<const u32 *>(&v);
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            sums[2 * j] = fmaf(low_half(x[j]), weight, sums[2 * j]);
            sums[2 * j + 1] = fmaf(high_half(x[j]), weight, sums[2 * j + 1]);
        }
    };
    for (int i = 0; i < chosen; i++)
    {
        const int row = rows[token * chosen + i];
        if (row >= 0)
            add(results + (u64)row * hidden, weights[token * chosen + i]);
    }
    if (shared)
        add(shared + token * hidden, 1.f);
    *reinterpret_cast<uint4 *>(output + token * hidden + chunk * 8)
        = make_uint4(pack2(sums[0], sums[1]), pack2(sums[2], sums[3]), pack2(sums[4], sums[5]), pack2(sums[6], sums[7]));
}
