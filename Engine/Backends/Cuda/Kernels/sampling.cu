// Chooses one token per row on the device: penalties and bias, then greedy, or temperature, top-k, top-p, min-p and one draw; logprobs.
// In: logits [rows, vocabulary] float32 (edited) and as the model gave them (the same address when nothing was edited); SampleSetting per row. Out: token ids, logprobs, alternatives, finite flags.
// Grid: one CTA of 1024 threads per row.
// Source: Salmon et al. 2011 (Philox4x32-10); thresholds by two histogram passes over max - logit instead of a sort. Weights are added up as integers: shared
// memory adds those by itself, floats only by comparing and trying again.
// Test: tests/Engine.GpuTests/SamplingTests.cs
#include "primitives.cuh"

#define THREADS 1024
#define BINS 2048
#define BINS_PER_NAT (BINS / RANGE)
#define RANGE 32.0f          // nats below the maximum that the histogram resolves; the rest weighs less than vocabulary * e^-32

struct SampleSetting
{
    float inverseTemperature;   // 0: greedy
    float topP;
    float minP;
    int topK;                   // 0: off
    u64 seed;
    int position;               // output position, the generator's counter
    int logprobs;               // -1: none, else alternatives
};

// Uniform in (0, 1] from (seed, position) alone, so that a draw does not depend on the batch.
__device__ float uniform(u64 seed, u32 position)
{
    u32 c0 = position, c1 = 0, c2 = 0, c3 = 0, k0 = (u32)seed, k1 = (u32)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++)
    {
        u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
        u32 n0 = (u32)(p1 >> 32) ^ c1 ^ k0, n2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c1 = (u32)p1, c3 = (u32)p0, c0 = n0, c2 = n2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return ((c0 >> 8) + 1) * (1.f / 16777216.f);
}

struct Best
{
    float value;
    int index;
};

__device__ __forceinline__ Best better(Best a, Best b)
{
    return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
}

__device__ Best block_best(Best x)
{
    __shared__ Best partial[32];
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1)
    {
        Best y = { __shfl_xor_sync(0xffffffffu, x.value, offset), __shfl_xor_sync(0xffffffffu, x.index, offset) };
        x = better(x, y);
    }
    __syncthreads();
    if ((threadIdx.x & 31) == 0)
        partial[threadIdx.x >> 5] = x;
    __syncthreads();
    x = partial[threadIdx.x & 31];
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1)
    {
        Best y = { __shfl_xor_sync(0xffffffffu, x.value, offset), __shfl_xor_sync(0xffffffffu, x.index, offset) };
        x = better(x, y);
    }
    return x;
}

__device__ float block_total(float x)
{
    __shared__ float partial[32];
    x = warp_sum(x);
    __syncthreads();
    if ((threadIdx.x & 31) == 0)
        partial[threadIdx.x >> 5] = x;
    __syncthreads();
    return warp_sum(partial[threadIdx.x & 31]);
}

// Visits (logit, token) of a row; a thread's own in rising order.
template <typename Visit>
__device__ __forceinline__ void for_each_logit(const float *x, int vocabulary, Visit visit)
{
    if (vocabulary % 4 == 0)
    {
#pragma unroll 4
        for (int i = threadIdx.x; i < vocabulary / 4; i += THREADS)
        {
            const float4 v = reinterpret_cast<const float4 *>(x)[i];
            visit(v.x, 4 * i), visit(v.y, 4 * i + 1), visit(v.z, 4 * i + 2), visit(v.w, 4 * i + 3);
        }
    }
    else
    {
        for (int i = threadIdx.x; i < vocabulary; i += THREADS)
            visit(x[i], i);
    }
}

// Weights of tokens by their distance from the most likely one, each counted in units of the weight at the beginning of its coarse bin.
struct Bins
{
    u32 *units;
    int *counts;
    float perUnit;
    float low, width;            // bin i counts weights at low + i * width

    __device__ float weight(int i) const
    {
        return units[i] * perUnit * __expf(-(low + i * width));
    }
};

// Fine: only the tokens of a coarse bin, which begins at bins.low. Everybody's are in the bins when this returns.
template <bool Fine>
__device__ __forceinline__ void fill_bins(const Bins &bins, const float *x, int vocabulary, float maximum, float inverseTemperature, bool counts)
{
    for (int i = threadIdx.x; i < BINS; i += THREADS)
        bins.units[i] = 0, bins.counts[i] = 0;
    __syncthreads();
    const float unit = 1.f / bins.perUnit;
    for_each_logit(x, vocabulary, [&](float v, int) {
        const float d = (maximum - v) * inverseTemperature;
        if (!(d < RANGE))
            return;
        const int coarse = min((int)(d * BINS_PER_NAT), BINS - 1);
        const float low = coarse / BINS_PER_NAT;
        if (Fine && low != bins.low)
            return;
        const int bin = Fine ? min((int)((d - low) * (BINS_PER_NAT * BINS)), BINS - 1) : coarse;
        atomicAdd(&bins.units[bin], (u32)(__expf(low - d) * unit + 0.5f));
        if (counts)
            atomicAdd(&bins.counts[bin], 1);
    });
    __syncthreads();
}

// The first bin at which the running weight (or count) reaches its target; weight and count before it.
__device__ int find_bin(const Bins &bins, float weightTarget, int countTarget, float &weightBefore, int &countBefore)
{
    __shared__ float warpWeight[32];
    __shared__ int warpCount[32];
    __shared__ int chosen;
    __shared__ float chosenWeight;
    __shared__ int chosenCount;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    float w0 = bins.weight(threadIdx.x * 2), w1 = bins.weight(threadIdx.x * 2 + 1);
    int n0 = bins.counts[threadIdx.x * 2], n1 = bins.counts[threadIdx.x * 2 + 1];
    float w = w0 + w1;
    int n = n0 + n1;
    float wScan = w;
    int nScan = n;
#pragma unroll
    for (int offset = 1; offset < 32; offset <<= 1)
    {
        float a = __shfl_up_sync(0xffffffffu, wScan, offset);
        int b = __shfl_up_sync(0xffffffffu, nScan, offset);
        if (lane >= offset)
            wScan += a, nScan += b;
    }
    if (threadIdx.x == 0)
        chosen = BINS;
    __syncthreads();
    if (lane == 31)
        warpWeight[warp] = wScan, warpCount[warp] = nScan;
    __syncthreads();
    float wBase = 0.f;
    int nBase = 0;
    for (int i = 0; i < warp; i++)
        wBase += warpWeight[i], nBase += warpCount[i];
    float before0 = wBase + wScan - w;
    int count0 = nBase + nScan - n;
    float after0 = before0 + w0, after1 = after0 + w1;
    int countAfter0 = count0 + n0, countAfter1 = countAfter0 + n1;
    bool hit0 = after0 >= weightTarget || countAfter0 >= countTarget;
    bool hit1 = after1 >= weightTarget || countAfter1 >= countTarget;
    int mine = hit0 ? threadIdx.x * 2 : hit1 ? threadIdx.x * 2 + 1 : BINS;
    if (mine < BINS)
        atomicMin(&chosen, mine);
    __syncthreads();
    if (mine == chosen && mine < BINS)
    {
        chosenWeight = mine == (int)threadIdx.x * 2 ? before0 : after0;
        chosenCount = mine == (int)threadIdx.x * 2 ? count0 : countAfter0;
    }
    __syncthreads();
    weightBefore = chosenWeight;
    countBefore = chosenCount;
    return chosen;
}

// Four tokens of a warp's stretch, those past its end as if they were banned.
__device__ __forceinline__ float4 logits_at(const float *x, int i, int end, int vocabulary)
{
    const float none = __int_as_float((int)0xff800000);
    if (vocabulary % 4 == 0)
        return i < end ? *reinterpret_cast<const float4 *>(x + i) : make_float4(none, none, none, none);
    return make_float4(i < end ? x[i] : none, i + 1 < end ? x[i + 1] : none, i + 2 < end ? x[i + 2] : none, i + 3 < end ? x[i + 3] : none);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) sample(
    int *__restrict__ tokens, float *__restrict__ logprobs, int *__restrict__ topIds, float *__restrict__ topLogprobs,
    int *__restrict__ notFinite, const float *__restrict__ logits, const float *__restrict__ rawLogits,
    const SampleSetting *__restrict__ settings, int vocabulary, int topCount)
{
    __shared__ u32 binUnits[BINS];
    __shared__ int binCounts[BINS];
    __shared__ float warpMass[32];
    __shared__ int result;
    __shared__ int bad;
    const int row = blockIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const float *x = logits + (u64)row * vocabulary;
    const SampleSetting s = settings[row];

    if (threadIdx.x == 0)
        bad = 0;
    __syncthreads();
    Best best = { -3.4e38f, vocabulary };
    bool odd = false;
    for_each_logit(x, vocabulary, [&](float v, int i) {
        odd |= !(v < 3.4e38f);           // NaN and +infinity; -infinity is a banned token
        if (v > best.value)
            best = { v, i };
    });
    if (odd)
        bad = 1;
    best = block_best(best);
    const float maximum = best.value;
    if (threadIdx.x == 0)
        notFinite[row] = bad | (best.index >= vocabulary);
    int chosen = best.index < vocabulary ? best.index : 0;

    if (s.inverseTemperature > 0.f && !bad && best.index < vocabulary)
    {
        const float it = s.inverseTemperature;
        // distance below the maximum, in nats after temperature; kept: distance <= limit
        float limit = s.minP > 0.f ? -__logf(s.minP) : 3.0e38f;
        const bool countsTokens = s.topK > 0 && s.topK < vocabulary;
        if (s.topP < 1.f || countsTokens)
        {
            // So that all tokens together do not run over.
            Bins bins = { binUnits, binCounts, 1.f / floorf(4e9f / vocabulary), 0.f, 1.f / BINS_PER_NAT };
            fill_bins<false>(bins, x, vocabulary, maximum, it, countsTokens);
            const float total = block_total(bins.weight(threadIdx.x * 2) + bins.weight(threadIdx.x * 2 + 1));
            const float weightTarget = s.topP < 1.f ? s.topP * total : 3.0e38f;
            const int countTarget = countsTokens ? s.topK : 0x7fffffff;
            float before;
            int countBefore;
            const int bin = find_bin(bins, weightTarget, countTarget, before, countBefore);
            if (bin < BINS)
            {
                bins.low = bin / BINS_PER_NAT;
                bins.width = 0.f;
                __syncthreads();
                fill_bins<true>(bins, x, vocabulary, maximum, it, countsTokens);
                float dummy;
                int dummyCount;
                const int sub = find_bin(bins, weightTarget - before, countTarget - countBefore, dummy, dummyCount);
                // everything up to the end of the fine bin stays: ties within 8e-6 nats are kept together
                limit = fminf(limit, bins.low + (min(sub, BINS - 1) + 1) / (BINS_PER_NAT * BINS));
            }
        }

        // Each warp weighs its own stretch; the warp in which the draw falls walks it again.
        const int stretch = (vocabulary + 32 * 128 - 1) / (32 * 128) * 128;
        const int begin = min(warp * stretch, vocabulary), end = min(begin + stretch, vocabulary);
        auto weight = [&](float v) {
            const float d = (maximum - v) * it;
            return d <= limit ? __expf(-d) : 0.f;
        };
        float mass = 0.f;
#pragma unroll 4
        for (int i = begin + 4 * lane; i < end; i += 128)
        {
            const float4 v = logits_at(x, i, end, vocabulary);
            mass += (weight(v.x) + weight(v.y)) + (weight(v.z) + weight(v.w));
        }
        mass = warp_sum(mass);
        __syncthreads();
        if (lane == 0)
            warpMass[warp] = mass;
        if (threadIdx.x == 0)
            result = best.index;
        __syncthreads();
        float kept = 0.f, mine = 0.f;
        for (int i = 0; i < 32; i++)
        {
            if (i < warp)
                mine += warpMass[i];
            kept += warpMass[i];
        }
        float target = uniform(s.seed, (u32)s.position) * kept;
        if (target > mine && target <= mine + mass)
        {
            float running = mine;
            int last = -1;
            for (int base = begin; base < end; base += 128)
            {
                const float4 v = logits_at(x, base + 4 * lane, end, vocabulary);
                const float w[4] = { weight(v.x), weight(v.y), weight(v.z), weight(v.w) };
                const float sum = (w[0] + w[1]) + (w[2] + w[3]);
                float scan = sum;
#pragma unroll
                for (int offset = 1; offset < 32; offset <<= 1)
                {
                    float a = __shfl_up_sync(0xffffffffu, scan, offset);
                    if (lane >= offset)
                        scan += a;
                }
                // Of the lane's own four: the first to reach the target, else the last that counts.
                float reach = running + scan - sum;
                int own = -1;
#pragma unroll
                for (int j = 0; j < 4; j++)
                {
                    if (w[j] > 0.f && (own < 0 || reach < target))
                        own = j;
                    reach += w[j];
                }
                const u32 reached = __ballot_sync(0xffffffffu, own >= 0 && running + scan >= target);
                const u32 some = __ballot_sync(0xffffffffu, own >= 0);
                if (some)
                {
                    const int from = reached ? __ffs(reached) - 1 : 31 - __clz(some);
                    last = base + 4 * from + __shfl_sync(0xffffffffu, own, from);
                }
                if (reached)
                    break;
                running += __shfl_sync(0xffffffffu, scan, 31);
            }
            if (lane == 0 && last >= 0)
                result = last;           // rounding may leave the target just above the last sum: then the last kept token
        }
        __syncthreads();
        chosen = result;
    }
    if (threadIdx.x == 0)
        tokens[row] = chosen;

    if (s.logprobs >= 0)
    {
        const float *y = rawLogits + (u64)row * vocabulary;
        float highest = maximum, sum = 0.f;
        if (rawLogits != logits)
        {
            Best top = { -3.4e38f, vocabulary };
            for_each_logit(y, vocabulary, [&](float v, int i) {
                if (v > top.value)
                    top = { v, i };
            });
            highest = block_best(top).value;
        }
        for_each_logit(y, vocabulary, [&](float v, int) { sum += __expf(v - highest); });
        float logSum = __logf(block_total(sum)) + highest;
        if (threadIdx.x == 0)
            logprobs[row] = y[chosen] - logSum;
        Best previous = { 3.4e38f, -1 };
        for (int k = 0; k < s.logprobs && k < topCount; k++)
        {
            Best next = { -3.4e38f, vocabulary };
            for_each_logit(y, vocabulary, [&](float v, int i) {
                bool after = v < previous.value || (v == previous.value && i > previous.index);
                if (after && v > next.value)
                    next = { v, i };
            });
            next = block_best(next);
            if (threadIdx.x == 0)
                topIds[row * topCount + k] = next.index, topLogprobs[row * topCount + k] = next.value - logSum;
            previous = next;
        }
    }
}

struct LogitEdit
{
    int row;
    int token;
    float value;
};

// logits[row, token] += value; a value of -infinity bans the token.
extern "C" __global__ void edit_logits(float *__restrict__ logits, const LogitEdit *__restrict__ edits, int vocabulary, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        atomicAdd(&logits[(u64)edits[i].row * vocabulary + edits[i].token], edits[i].value);
}

struct PenaltySetting
{
    int row;
    int slot;
    int promptTokens;
    int totalTokens;
    float repetition;
    float presence;
    float frequency;
    int pad;
};

// One CTA per penalised row. history [slots, historyStride]; counts [rows of this launch, vocabulary] is all zero before and after.
// Low half of a count: times in the output; bit 31: seen in the prompt.
extern "C" __global__ void penalize(float *__restrict__ logits, const int *__restrict__ history, u32 *__restrict__ counts,
    const PenaltySetting *__restrict__ settings, int vocabulary, int historyStride)
{
    const PenaltySetting s = settings[blockIdx.x];
    float *x = logits + (u64)s.row * vocabulary;
    u32 *c = counts + (u64)blockIdx.x * vocabulary;
    const int *tokens = history + (u64)s.slot * historyStride;
    for (int i = threadIdx.x; i < s.totalTokens; i += blockDim.x)
    {
        if (i < s.promptTokens)
            atomicOr(&c[tokens[i]], 0x80000000u);
        else
            atomicAdd(&c[tokens[i]], 1u);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < s.totalTokens; i += blockDim.x)
    {
        u32 seen = atomicExch(&c[tokens[i]], 0u);
        if (!seen)
            continue;                    // another thread has this token
        float v = x[tokens[i]];
        v = v > 0.f ? v / s.repetition : v * s.repetition;
        u32 times = seen & 0x7fffffffu;
        if (times)
            v -= s.presence + s.frequency * times;
        x[tokens[i]] = v;
    }
}

// history[slot, position] = sampled[row]: the device's own record, ahead of the host's.
struct HistoryEntry
{
    int slot;
    int position;
    int row;
};

extern "C" __global__ void append_history(int *__restrict__ history, const int *__restrict__ sampled, const HistoryEntry *__restrict__ entries, int historyStride, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        history[(u64)entries[i].slot * historyStride + entries[i].position] = sampled[entries[i].row];
}
