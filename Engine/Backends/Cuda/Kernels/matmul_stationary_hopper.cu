// Matrix product for up to 32 rows, bound by reading the weights: output[rows, outputs] = input[rows, inputs] * weight[outputs, inputs]^T (+ bias).
// In: input, weight, bias (elements). Out: elements, or float32 when floatOutput is set; EPILOGUE says what else becomes of the sums. rows <= 8 * OCTETS;
// inputs a multiple of 8, at most CHUNKS * CHUNK * 16 * CLUSTER.
// Grid: clusters of CLUSTER CTAs of 640 threads, all at once on the card. A cluster takes 8 weight rows at a time (a unit). Each of the first 16 warps of a
// CTA has a fixed part of the inputs, of all rows, in registers or shared memory for the whole kernel, and reads that part of the weights straight into tensor-core
// operands; the last four put the warps' sums together, the CTAs of a cluster taking turns in finishing a unit.
// Source: input-stationary dataflow; no output is cut between clusters, so nothing has to be put together in memory.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#include "primitives.cuh"
#include "hopper.cuh"
#include "fused_product.cuh"

#ifndef OCTETS
#define OCTETS 1                                 // groups of 8 rows
#endif
#ifndef CHUNKS
#define CHUNKS 4                                 // of a warp, of CHUNK inputs
#endif
#ifndef SHARED_CHUNKS
#define SHARED_CHUNKS 0                          // how many of them are kept in shared memory instead of registers
#endif
#ifndef CLUSTER
#define CLUSTER 1
#endif
#ifndef DEPTH
#define DEPTH 8                                  // loads of a warp on their way, 512 bytes each: 64 KB of a multiprocessor
#endif

// Tensor cores take 16 rows and 8 weight rows. With up to 8 rows, a load brings 128 bytes of 4 weight rows: the lower 8 rows of the operand are the
// inputs of the first 64 bytes, the upper 8 the same rows' of the other 64, and half of the sums are of use. With more, 64 bytes of 8 weight rows.
#define SPLIT (OCTETS == 1)
#define CHUNK (SPLIT ? 64 : 32)
#define PIECES (SPLIT ? 2 : OCTETS)              // of a chunk of inputs, 16 bytes each lane
#define LOADS (SPLIT ? 2 * CHUNKS : CHUNKS)      // of a unit
#define ROUND_UNITS (LOADS % DEPTH == 0 ? 1 : DEPTH % LOADS == 0 ? DEPTH / LOADS : DEPTH)    // after which the ring is back where it was
#define WARPS 16                                 // that multiply
#define REDUCERS 4
#define TWICE (NORM == 1 && PIECES * (CHUNKS - SHARED_CHUNKS) > 8)       // inputs that are normalised are read twice: there are no registers to hold them meanwhile
// 96 each at the start.
#define REGISTERS 104
#define REDUCER_REGISTERS (5 * 96 - 4 * REGISTERS)
#define UNIT_PAIRS 4                             // a unit is 8 weight rows: 4 pairs of rows that belong together
#define BUFFERS 4
#define INPUT_BYTES (SHARED_CHUNKS * PIECES * WARPS * 512)
#define PARTIAL_BYTES (OCTETS * WARPS * 256)     // one buffer: two sums of every lane
#define PLACES 4                                 // of units that a CTA gathers
#define SENDERS (REDUCERS - 1)
#define GATHERED_BYTES (CLUSTER > 1 ? OCTETS * CLUSTER * 256 : 0)

static_assert(OCTETS == 1 || OCTETS == 2 || OCTETS == 4, "rows are padded to whole tensor-core operands");

// Zeros where there is nothing to load. Without a branch, so that many loads stay on their way.
__device__ __forceinline__ uint4 load_weights(const elem *p, bool there)
{
    uint4 v;
    asm volatile("{.reg .pred p; setp.ne.b32 p, %5, 0; mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; mov.u32 %3, 0;\n"
        "@p ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4]; }" : "=&r"(v.x), "=&r"(v.y), "=&r"(v.z), "=&r"(v.w) : "l"(p), "r"((int)there));
    return v;
}

__device__ __forceinline__ u32 normed(u32 x, float scale, u32 weight)
{
    return pack2(low_half(x) * scale * low_half(weight), high_half(x) * scale * high_half(weight));
}

// Sends to a CTA of the cluster; its barrier counts the bytes that arrive. No fence is needed, so the sender waits for nothing.
__device__ __forceinline__ void send(u32 address, u32 barrier, float2 v)
{
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%2, %3}, [%1];"
        :: "r"(address), "r"(barrier), "f"(v.x), "f"(v.y) : "memory");
}

__device__ __forceinline__ void send(u32 address, u32 barrier, float2 v, float2 w)
{
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%2, %3, %4, %5}, [%1];"
        :: "r"(address), "r"(barrier), "f"(v.x), "f"(v.y), "f"(w.x), "f"(w.y) : "memory");
}

__device__ __forceinline__ void send(u32 address, u32 barrier, float v)
{
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32 [%0], %2, [%1];" :: "r"(address), "r"(barrier), "f"(v) : "memory");
}

// Until the barriers of all CTAs of the cluster are there.
__device__ __forceinline__ void wait_for_barriers()
{
#if CLUSTER > 1
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#else
    __syncthreads();
#endif
}

// The two weight rows of a pair.
__device__ __forceinline__ int row_of(int pair, int second, int outputs)
{
#if EPILOGUE == 1
    return pair + second * (outputs / 2);
#elif EPILOGUE == 2
    const int head = pair / (HEAD_DIM / 2);
    return head * HEAD_DIM + (pair - head * (HEAD_DIM / 2)) + second * (HEAD_DIM / 2);
#else
    return 2 * pair + second;
#endif
}

extern "C" __global__ void
#if CLUSTER > 1
__cluster_dims__(CLUSTER, 1, 1)
#endif
__launch_bounds__((WARPS + REDUCERS) * 32, 1) matmul_stationary_hopper(
    void *output, const elem *input, const elem *__restrict__ weight, const elem *__restrict__ bias,
    int rows, int outputs, int inputs, int floatOutput, const elem *__restrict__ normWeight, float epsilon,
    elem *__restrict__ keys, elem *__restrict__ values, const float2 *__restrict__ cosSin,
    const int *__restrict__ positions, const int *__restrict__ slots, int heads, int kvHeads,
    const char *ahead, const char *aheadHalf, u32 aheadBytes)      // the following product's weights: what each warp asks the L2 cache for at its end, of both halves
{
    // inputs [WARPS, SHARED_CHUNKS, PIECES, 32 lanes] of 16 bytes, partial sums [BUFFERS, OCTETS, WARPS, 32 lanes] of two, gathered ones [PLACES, CLUSTER, 32 lanes, OCTETS] of two
    extern __shared__ __align__(16) unsigned char raw[];
    __shared__ __align__(8) u64 barriers[2 * BUFFERS + PLACES + 1 + CLUSTER * PLACES];
#if NORM
    __shared__ float warpSquares[WARPS][OCTETS * 8];
    __shared__ float rowSquares[CLUSTER][OCTETS * 8];
#endif
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = lane >> 2, quarter = lane & 3;
    const u32 rank = CLUSTER > 1 ? cluster_rank() : 0;
    const int cluster = blockIdx.x / CLUSTER, clusters = gridDim.x / CLUSTER;
    const int pairs = (outputs + 1) / 2, units = (pairs + UNIT_PAIRS - 1) / UNIT_PAIRS;
    const u32 full = shared_address(barriers), empty = full + BUFFERS * 8, arrived = empty + BUFFERS * 8, squared = arrived + PLACES * 8, freed = squared + 8;
    if (threadIdx.x == 0)
    {
        for (int i = 0; i < BUFFERS; i++)
        {
            barrier_init(full + i * 8, WARPS);
            barrier_init(empty + i * 8, 1);
        }
        for (int i = 0; i < PLACES + 1 + CLUSTER * PLACES; i++)
            barrier_init(arrived + i * 8, 1);
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
#if CLUSTER > 1
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#endif

#if NORM
    // The squares that this CTA's warps have of the row that has the lane's number, for every CTA of the cluster.
    auto share_squares = [&]() {
        if (lane < OCTETS * 8)
        {
            float sum = 0.f;
#pragma unroll
            for (int w = 0; w < WARPS; w++)
                sum += warpSquares[w][lane];
#if CLUSTER > 1
            for (u32 r = 0; r < CLUSTER; r++)
                send(address_in(shared_address(&rowSquares[rank][lane]), r), address_in(squared, r), sum);
#else
            rowSquares[0][lane] = sum;
#endif
        }
    };
#endif

    if (warp >= WARPS)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(REDUCER_REGISTERS));
        wait_for_barriers();
        wait_for_previous();
#if NORM == 2
        // The sums are scaled here, so that the warps that multiply do not wait for the norm.
        if (CLUSTER == 1 || warp == WARPS)
        {
            named_barrier(1, (WARPS + (CLUSTER > 1 ? 1 : REDUCERS)) * 32);
#if CLUSTER > 1
            share_squares();
#endif
        }
        // Of the row that has the lane's number.
        auto find_scale = [&]() {
#if CLUSTER > 1
            if (lane == 0)
                barrier_expect(squared, CLUSTER * OCTETS * 32);
            barrier_wait(squared, 0);
#endif
            float sum = 0.f;
            if (lane < OCTETS * 8)
            {
#pragma unroll
                for (int i = 0; i < (CLUSTER > 1 ? CLUSTER : WARPS); i++)
                    sum += CLUSTER > 1 ? rowSquares[CLUSTER > 1 ? i : 0][lane] : warpSquares[i][lane];
            }
            return rsqrtf(sum / inputs + epsilon);
        };
#endif
        // What the warps of this CTA have of a unit, of 8 rows.
        auto sums_of = [&](int buffer, int octet) {
            const float2 *partial = reinterpret_cast<const float2 *>(raw + INPUT_BYTES + buffer * PARTIAL_BYTES) + octet * WARPS * 32 + lane;
            float2 sum = make_float2(0.f, 0.f);
#pragma unroll
            for (int w = 0; w < WARPS; w++)
                sum.x += partial[w * 32].x, sum.y += partial[w * 32].y;
            return sum;
        };
        auto release = [&](int buffer) {
            __syncwarp();
            if (lane == 0)
                barrier_arrive(empty + buffer * 8);
        };
#if CLUSTER > 1
        constexpr u32 LaneBytes = OCTETS * 8;
        unsigned char *const gathered = raw + INPUT_BYTES + BUFFERS * PARTIAL_BYTES;
        if (warp < WARPS + SENDERS)
        {
            for (int turn = warp - WARPS, unit = cluster + turn * clusters; unit < units; turn += SENDERS, unit += SENDERS * clusters)
            {
                const int buffer = turn % BUFFERS, led = turn / CLUSTER, place = led % PLACES;
                const u32 leader = turn % CLUSTER;
                if (led >= PLACES)
                    barrier_wait(freed + (leader * PLACES + place) * 8, (led / PLACES - 1) & 1);
                const u32 to = address_in(shared_address(gathered + place * GATHERED_BYTES) + (rank * 32 + lane) * LaneBytes, leader), tell = address_in(arrived + place * 8, leader);
                barrier_wait(full + buffer * 8, turn / BUFFERS & 1);
                if (OCTETS == 1)
                    send(to, tell, sums_of(buffer, 0));
#pragma unroll
                for (int o = 0; o + 1 < OCTETS; o += 2)
                    send(to + o * 8, tell, sums_of(buffer, o), sums_of(buffer, o + 1));
                release(buffer);
            }
            return;
        }
#endif
        // With several CTAs one warp finishes this CTA's units, else each one a unit in turn: what one waits for is hidden under the others' work.
        const int firstTurn = CLUSTER > 1 ? rank : warp - WARPS, step = CLUSTER > 1 ? CLUSTER : REDUCERS;
#if NORM == 2
        const float scale = find_scale();
#endif
        for (int turn = firstTurn, unit = cluster + turn * clusters; unit < units; turn += step, unit += step * clusters)
        {
            const int pair = unit * UNIT_PAIRS + quarter, low = row_of(pair, 0, outputs), high = row_of(pair, 1, outputs);
            const bool inside = pair < pairs, both = inside && high < outputs;
            const float shiftLow = bias && inside ? to_float(bias[low]) : 0.f, shiftHigh = bias && both ? to_float(bias[high]) : 0.f;
#if EPILOGUE == 2
            const int head = low / HEAD_DIM, d = low % HEAD_DIM;
#endif
            // What a row needs besides its sums: the angle, or what was there.
            auto around = [&](int row) {
                float2 v = make_float2(1.f, 0.f);
#if EPILOGUE == 2
                if (inside && row < rows && head < heads + kvHeads)
                    v = cosSin[(u64)positions[row] * (HEAD_DIM / 2) + d];
#elif EPILOGUE == 3
                const elem *from = reinterpret_cast<const elem *>(output) + (u64)row * outputs;
                if (inside && row < rows)
                    v = make_float2(to_float(from[low]), both ? to_float(from[high]) : 0.f);
#endif
                return v;
            };
            // Asked for before the sums are there, so that nothing but them is waited for.
            float2 next = around(group);
#if CLUSTER > 1
            const int led = turn / CLUSTER, place = led % PLACES;
            if (lane == 0)
                barrier_expect(arrived + place * 8, GATHERED_BYTES);
            barrier_wait(arrived + place * 8, led / PLACES & 1);
            const float2 *at = reinterpret_cast<const float2 *>(gathered + place * GATHERED_BYTES + lane * LaneBytes);
#else
            const int buffer = turn % BUFFERS;
            barrier_wait(full + buffer * 8, turn / BUFFERS & 1);
#endif
#pragma unroll 1
            for (int o = 0; o < OCTETS; o++)
            {
                const int row = o * 8 + group;
                const float2 current = next;
                if (o + 1 < OCTETS)
                    next = around(row + 8);
#if CLUSTER > 1
                float2 sum = make_float2(0.f, 0.f);
#pragma unroll
                for (int r = 0; r < CLUSTER; r++)
                    sum.x += at[r * 32 * OCTETS + o].x, sum.y += at[r * 32 * OCTETS + o].y;
#else
                float2 sum = sums_of(buffer, o);
#endif
#if NORM == 2
                const float by = __shfl_sync(0xffffffffu, scale, o * 8 + group);
                sum.x *= by, sum.y *= by;
#endif
                if (!inside || row >= rows)
                    continue;
                sum.x += shiftLow, sum.y += shiftHigh;
#if EPILOGUE == 1
                reinterpret_cast<elem *>(output)[(u64)row * (outputs / 2) + pair] = from_float(gated<SILU>(sum.x, sum.y, 0.f, 0.f));
#elif EPILOGUE == 2
                elem *to = reinterpret_cast<elem *>(output) + (u64)row * outputs + head * HEAD_DIM;
                int swizzle = 0;
                if (head >= heads)
                {
                    const int slot = slots[row];
                    to = (head < heads + kvHeads ? keys : values) + cache_offset(slot, (head - heads) % kvHeads, kvHeads);
                    swizzle = cache_swizzle(slot);
                }
                to[d ^ swizzle] = from_float(sum.x * current.x - sum.y * current.y);
                to[(d + HEAD_DIM / 2) ^ swizzle] = from_float(sum.y * current.x + sum.x * current.y);
#elif EPILOGUE == 3
                elem *to = reinterpret_cast<elem *>(output) + (u64)row * outputs;
                to[low] = from_float(current.x + sum.x);
                if (both)
                    to[high] = from_float(current.y + sum.y);
#else
                if (floatOutput)
                {
                    float *to = reinterpret_cast<float *>(output) + (u64)row * outputs;
                    to[low] = sum.x;
                    if (both)
                        to[high] = sum.y;
                }
                else
                {
                    elem *to = reinterpret_cast<elem *>(output) + (u64)row * outputs;
                    to[low] = from_float(sum.x);
                    if (both)
                        to[high] = from_float(sum.y);
                }
#endif
            }
#if CLUSTER > 1
            __syncwarp();
            // Not told to those that send no more: they may be gone.
            if (lane < CLUSTER && unit + PLACES * CLUSTER * clusters < units)
                barrier_arrive_in_cluster(address_in(freed + (rank * PLACES + place) * 8, lane));
#else
            release(buffer);
#endif
        }
        return;
    }

    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(REGISTERS));
    // This warp's part of the inputs, the same in every row of weights and inputs.
    const int part = (int)rank * WARPS + warp, begin = part * CHUNKS * CHUNK;
    const int weightBegin = begin + (SPLIT ? lane & 7 : quarter) * 8, weightPair = SPLIT ? lane >> 3 : group >> 1;
    const int weightChunks = weightBegin < inputs ? min(CHUNKS, (inputs - weightBegin + CHUNK - 1) / CHUNK) : 0;
    uint4 ring[DEPTH];
    int loadUnit = cluster - clusters, loadable = 0;            // chunks
    const elem *loadAt[SPLIT ? 2 : 1];
    auto load = [&](int i) {
        if (i == 0)
        {
            loadUnit += clusters;
            const int pair = loadUnit * UNIT_PAIRS + weightPair;
            loadable = pair < pairs ? weightChunks : 0;
            // An odd number of outputs: the last row is read twice and its second sums dropped.
            if (SPLIT)
            {
                const int low = row_of(pair, 0, outputs), high = row_of(pair, 1, outputs);
                loadAt[0] = weight + (u64)low * inputs + weightBegin;
                loadAt[SPLIT ? 1 : 0] = weight + (u64)(high < outputs ? high : low) * inputs + weightBegin;
            }
            else
            {
                const int row = row_of(pair, group & 1, outputs);
                loadAt[0] = weight + (u64)(row < outputs ? row : row - 1) * inputs + weightBegin;
            }
            // While the last units are put together and the next kernel starts, memory would have nothing to do.
            if (aheadBytes > 0 && lane == 0 && loadUnit >= units && loadUnit < units + clusters)
            {
                const u64 at = (u64)(blockIdx.x * WARPS + warp) * aheadBytes;
                asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" :: "l"(ahead + at), "r"(aheadBytes) : "memory");
                asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" :: "l"(aheadHalf + at), "r"(aheadBytes) : "memory");
            }
        }
        const int chunk = SPLIT ? i / 2 : i;
        return load_weights(loadAt[SPLIT ? i % 2 : 0] + chunk * CHUNK, chunk < loadable);
    };
#pragma unroll
    for (int i = 0; i < DEPTH; i++)
        ring[i] = load(i % LOADS);
#if NORM == 1
    if (lane < CHUNKS * CHUNK / 64 && begin + lane * 64 < inputs)
        prefetch(normWeight + begin + lane * 64);
#endif
    wait_for_barriers();
    wait_for_previous();
    allow_next();

    uint4 kept[CHUNKS > SHARED_CHUNKS ? CHUNKS - SHARED_CHUNKS : 1][PIECES];
    uint4 *shared = reinterpret_cast<uint4 *>(raw) + warp * SHARED_CHUNKS * PIECES * 32 + lane;
    auto x = [&](int c, int p) { return c < SHARED_CHUNKS ? shared[(c * PIECES + p) * 32] : kept[c < SHARED_CHUNKS ? 0 : c - SHARED_CHUNKS][p]; };
    auto keep = [&](int c, int p, const uint4 &v) {
        if (c < SHARED_CHUNKS)
            shared[(c * PIECES + p) * 32] = v;
        else
            kept[c < SHARED_CHUNKS ? 0 : c - SHARED_CHUNKS][p] = v;
    };
    // Where a piece begins, and what the input has there.
    auto place_of = [&](int c, int p) { return begin + ((SPLIT ? p * 4 : 0) + quarter) * 8 + c * CHUNK; };
    auto input_of = [&](int c, int p) {
        const int row = SPLIT ? group : p * 8 + group, k = place_of(c, p);
        return row < rows && k < inputs ? *reinterpret_cast<const uint4 *>(input + (u64)row * inputs + k) : make_uint4(0, 0, 0, 0);
    };
#if !TWICE
#pragma unroll
    for (int p = 0; p < PIECES; p++)
#pragma unroll
        for (int c = 0; c < CHUNKS; c++)
            keep(c, p, input_of(c, p));
#endif
#if NORM
    {
#pragma unroll
        for (int o = 0; o < OCTETS; o++)
        {
            float sum = 0.f;
#pragma unroll
            for (int c = 0; c < CHUNKS; c++)
#pragma unroll
                for (int p = o; p < (SPLIT ? 2 : o + 1); p++)
                {
                    const uint4 v = TWICE ? input_of(c, p) : x(c, p);
                    sum += squares_of(v.x) + squares_of(v.y) + squares_of(v.z) + squares_of(v.w);
                }
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            if (quarter == 0)
                warpSquares[warp][o * 8 + group] = sum;
        }
#if NORM == 2
        asm volatile("bar.arrive 1, %0;" :: "n"((WARPS + (CLUSTER > 1 ? 1 : REDUCERS)) * 32) : "memory");
#else
        named_barrier(1, WARPS * 32);
        if (warp == 0)
        {
            if (CLUSTER > 1 && lane == 0)
                barrier_expect(squared, CLUSTER * OCTETS * 32);
            share_squares();
        }
#if CLUSTER > 1
        barrier_wait(squared, 0);
#else
        named_barrier(1, WARPS * 32);
#endif
        float scale[OCTETS];
#pragma unroll
        for (int o = 0; o < OCTETS; o++)
        {
            float sum = 0.f;
#pragma unroll
            for (int r = 0; r < CLUSTER; r++)
                sum += rowSquares[r][o * 8 + group];
            scale[o] = rsqrtf(sum / inputs + epsilon);
        }
#pragma unroll
        for (int c = 0; c < CHUNKS; c++)
        {
            uint4 g;
#pragma unroll
            for (int p = 0; p < PIECES; p++)
            {
                const int k = place_of(c, p);
                if (SPLIT || p == 0)
                    g = k < inputs ? *reinterpret_cast<const uint4 *>(normWeight + k) : make_uint4(0, 0, 0, 0);
                const uint4 v = TWICE ? input_of(c, p) : x(c, p);
                const float by = scale[SPLIT ? 0 : p];
                keep(c, p, make_uint4(normed(v.x, by, g.x), normed(v.y, by, g.y), normed(v.z, by, g.z), normed(v.w, by, g.w)));
            }
        }
#endif
    }
#endif

    int turn = 0;                                // units of this cluster so far
    for (int roundUnit = cluster; roundUnit < units; roundUnit += clusters * ROUND_UNITS)
    {
#pragma unroll
        for (int t = 0; t < ROUND_UNITS; t++)
        {
            if (roundUnit + t * clusters >= units)
                break;
            float sums[SPLIT ? 2 : OCTETS / 2][4] = {};
#pragma unroll
            for (int i = 0; i < LOADS; i++)
            {
                const int place = (t * LOADS + i) % DEPTH;
                const uint4 w = ring[place];
                ring[place] = load((t * LOADS + i + DEPTH) % LOADS);
                const int chunk = SPLIT ? i / 2 : i;
#pragma unroll
                for (int p = 0; p < PIECES; p += 2)
                {
                    const uint4 a = x(chunk, p), b = x(chunk, p + 1);
                    float (&sum)[4] = sums[SPLIT ? i % 2 : p / 2];
                    mma(sum, a.x, b.x, a.y, b.y, w.x, w.y);
                    mma(sum, a.z, b.z, a.w, b.w, w.z, w.w);
                }
            }

            const int buffer = turn % BUFFERS, use = turn / BUFFERS;
            float2 *partial = reinterpret_cast<float2 *>(raw + INPUT_BYTES + buffer * PARTIAL_BYTES + warp * 256) + lane;
            if (use > 0)
                barrier_wait(empty + buffer * 8, (use - 1) & 1);
#pragma unroll
            for (int o = 0; o < OCTETS; o++)
                partial[o * WARPS * 32] = SPLIT ? make_float2(sums[0][0] + sums[0][3], sums[SPLIT ? 1 : 0][0] + sums[SPLIT ? 1 : 0][3])
                    : make_float2(sums[o / 2][(o & 1) * 2], sums[o / 2][(o & 1) * 2 + 1]);
            __syncwarp();
            if (lane == 0)
                barrier_arrive(full + buffer * 8);
            turn++;
        }
    }
}
