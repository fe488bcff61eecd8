// Matrix product of many rows with what follows it done in passing: x [rows, inputs] * weight [outputs, inputs]^T, sums in float32. outputs and inputs multiples of 8.
// EPILOGUE 1: silu(gate) * up, output [rows, outputs / 2], the gate's rows first in the weight. 2: rotated queries to output [rows, outputs], rotated keys and plain values to the cache. Values as in matvec.cu.
// Grid: persistent clusters of two CTAs of 384 threads (one warpgroup copies, two multiply 64 rows each); a cluster computes 256 rows by 256 rows of the weight and shares the weights' copies.
// Source: warp-specialised wgmma pipeline with multicast bulk copies; bands of rows that stay in the L2 cache while the weights pass by. The weights' map brings 8 rows of one half, the 8 that belong to them, and so on.
// Test: tests/Engine.GpuTests/OwnMatmulTests.Fused.cs
#include "primitives.cuh"
#include "hopper.cuh"

#ifndef EPILOGUE
#define EPILOGUE 1
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 64
#endif
#ifndef STAGES
#define STAGES 4
#endif
#ifndef BAND
#define BAND 8                                   // tiles of rows that go together
#endif

#define TILE_ROWS 128                            // of a CTA
#define TILE_INPUTS 64                           // 128 bytes: one swizzled line
#define TILE_WEIGHTS 256                         // rows of the weight
#define INPUT_BYTES (TILE_ROWS * 128)
#define WEIGHT_BYTES (TILE_WEIGHTS * 128)
#define STAGE_BYTES (INPUT_BYTES + WEIGHT_BYTES)
#define OUTPUT_BYTES (TILE_ROWS * TILE_WEIGHTS)  // 128 columns of 2 bytes: what is put down at once
#define PIECE_BYTES (64 * 128)                   // 64 rows of 64 columns
#define CONSUMER_WARPS 8
#define GROUPS (TILE_WEIGHTS / 16)               // pairs of 8 columns of a tile
#define HEAD_GROUPS (HEAD_DIM / 16)

static_assert(EPILOGUE == 1 || HEAD_DIM == 64 || HEAD_DIM == 128, "64 columns lie in one head");

struct alignas(64) TensorMaps
{
    unsigned char weight[128];
    unsigned char input[128];
    unsigned char output[128];
};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1) matmul_prompt_hopper(
    const __grid_constant__ TensorMaps maps, void *queries, int rows, int outputs, int inputs, const elem *__restrict__ bias,
    elem *__restrict__ keys, elem *__restrict__ values, const float2 *__restrict__ cosSin,
    const int *__restrict__ positions, const int *__restrict__ slots, int heads, int kvHeads)
{
    extern __shared__ __align__(1024) unsigned char raw[];
    const u32 base = (shared_address(raw) + 1023) & ~1023u;
    const u32 outputBase = base + STAGES * STAGE_BYTES;
    const u32 full = outputBase + OUTPUT_BYTES, empty = full + STAGES * 8;
    const int lane = threadIdx.x & 31, warpgroup = threadIdx.x >> 7;
    const u32 rank = cluster_rank();

    const int blocks = (inputs + TILE_INPUTS - 1) / TILE_INPUTS;
    const int tileRows = (rows + 2 * TILE_ROWS - 1) / (2 * TILE_ROWS), tileColumns = (outputs + TILE_WEIGHTS - 1) / TILE_WEIGHTS;
    const int total = tileRows * tileColumns, clusters = gridDim.x / 2;
    // Neighbours in time take the same weights for the rows of a band.
    auto locate = [&](int tile, int &row, int &column) {
        const int band = tile / (BAND * tileColumns), inside = tile - band * BAND * tileColumns;
        const int height = min(BAND, tileRows - band * BAND);
        column = inside / height;
        row = (band * BAND + inside - column * height) * 2 + rank;
    };

    if (threadIdx.x == 0)
    {
        for (int i = 0; i < STAGES; i++)
        {
            barrier_init(full + i * 8, 1);
            barrier_init(empty + i * 8, 2 * CONSUMER_WARPS);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        fence_async_proxy();
    }
    cluster_sync();
    allow_next();
    wait_for_previous();

    if (warpgroup == 0)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 0)
        {
            u32 stage = 0, phase = 1;
            for (int tile = blockIdx.x / 2; tile < total; tile += clusters)
            {
                int row, column;
                locate(tile, row, column);
                for (int block = 0; block < blocks; block++)
                {
                    const u32 at = base + stage * STAGE_BYTES;
                    barrier_wait(empty + stage * 8, phase);
                    barrier_expect(full + stage * 8, STAGE_BYTES);
                    tensor_copy_2d(at, maps.input, full + stage * 8, block * TILE_INPUTS, row * TILE_ROWS);
#if EPILOGUE == 1
                    tensor_multicast_4d(at + INPUT_BYTES + rank * (WEIGHT_BYTES / 2), maps.weight, full + stage * 8, 3,
                        block * TILE_INPUTS, 0, 0, column * GROUPS + rank * (GROUPS / 2));
#else
                    tensor_multicast_5d(at + INPUT_BYTES + rank * (WEIGHT_BYTES / 2), maps.weight, full + stage * 8, 3,
                        block * TILE_INPUTS, 0, 0, 0, (column * TILE_WEIGHTS + rank * (TILE_WEIGHTS / 2)) / HEAD_DIM);
#endif
                    stage = stage + 1 == STAGES ? 0 : stage + 1;
                    phase ^= stage == 0;
                }
            }
        }
    }
    else
    {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        const int consumer = warpgroup - 1, warp = (threadIdx.x >> 5) & 3;
        const u32 emptyThere = address_in(empty, rank ^ 1);
        const u32 staging = outputBase + consumer * (2 * PIECE_BYTES);
        auto release = [&](int stage) {
            if (lane == 0 && stage >= 0)
            {
                barrier_arrive(empty + stage * 8);
                barrier_arrive_in_cluster(emptyThere + stage * 8);
            }
        };
        float sums[TILE_WEIGHTS / 2] = {};          // undefined ones make the compiler wait after every product
        u32 stage = 0, phase = 0;
        for (int tile = blockIdx.x / 2; tile < total; tile += clusters)
        {
            int row, column, reading = -1;
            locate(tile, row, column);
            for (int block = 0; block < blocks; block++)
            {
                barrier_wait(full + stage * 8, phase);
                const u64 a = matrix_descriptor(base + stage * STAGE_BYTES + consumer * (INPUT_BYTES / 2), 16, 1024);
                const u64 b = matrix_descriptor(base + stage * STAGE_BYTES + INPUT_BYTES, 16, 1024);
                wgmma_fence();
#pragma unroll
                for (int k = 0; k < 4; k++)
                    wgmma_ss(sums, a + 2 * k, b + 2 * k, k > 0 || block > 0);
                wgmma_commit();
                wgmma_wait<1>();
                release(reading);
                reading = stage;
                stage = stage + 1 == STAGES ? 0 : stage + 1;
                phase ^= stage == 0;
            }
            wgmma_wait<0>();
            pin(sums);
            release(reading);

            // Sums 8 j .. 8 j + 3 belong to 8 columns of one half, 8 j + 4 .. 8 j + 7 to the 8 that belong to them.
            const int inRow = (lane & 7) + ((lane >> 3) & 1) * 8;
            auto put_down = [&](int chunk, u32 r0, u32 r1, u32 r2, u32 r3) {
                const int c = chunk + (lane >> 4);
                stmatrix4(staging + (chunk >> 3) * PIECE_BYTES + (warp * 16 + inRow) * 128 + (((c & 7) ^ (inRow & 7)) << 4), r0, r1, r2, r3);
            };
            // What was put down before must have been read.
            auto begin_output = [&]() {
                if ((threadIdx.x & 127) == 0)
                    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
                named_barrier(1 + consumer, 128);
            };
            auto store_pieces = [&](int firstColumn) {
                fence_async_proxy();
                named_barrier(1 + consumer, 128);
                if ((threadIdx.x & 127) == 0)
                {
#pragma unroll
                    for (int piece = 0; piece < 2; piece++)
                        tensor_store_2d(maps.output, staging + piece * PIECE_BYTES, firstColumn + piece * 64, row * TILE_ROWS + consumer * 64);
                    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
                }
            };
#if EPILOGUE == 1
            begin_output();
            u32 packed[2 * GROUPS];
#pragma unroll
            for (int j = 0; j < GROUPS; j++)
#pragma unroll
                for (int half = 0; half < 2; half++)
                {
                    const float g0 = sums[8 * j + 2 * half], g1 = sums[8 * j + 2 * half + 1];
                    packed[2 * j + half] = pack2(__fdividef(g0, 1.f + __expf(-g0)) * sums[8 * j + 4 + 2 * half], __fdividef(g1, 1.f + __expf(-g1)) * sums[8 * j + 5 + 2 * half]);
                }
#pragma unroll
            for (int j = 0; j < GROUPS; j += 2)
                put_down(j, packed[2 * j], packed[2 * j + 1], packed[2 * j + 2], packed[2 * j + 3]);
            store_pieces(column * (TILE_WEIGHTS / 2));
#else
            const int firstRow = row * TILE_ROWS + consumer * 64, myRow = firstRow + warp * 16 + (lane >> 2);
            const float2 *angles[2];
#pragma unroll
            for (int half = 0; half < 2; half++)
                angles[half] = cosSin + (u64)(myRow + 8 * half < rows ? positions[myRow + 8 * half] : 0) * (HEAD_DIM / 2) + (lane & 3) * 2;
#pragma unroll
            for (int round = 0; round < 2; round++)
            {
                const int firstColumn = column * TILE_WEIGHTS + round * (TILE_WEIGHTS / 2);
                if (firstColumn >= outputs)
                    break;
                begin_output();
#pragma unroll
                for (int j = 0; j < GROUPS / 2; j += 2)
                {
                    u32 low[4], high[4];
#pragma unroll
                    for (int i = 0; i < 2; i++)
                    {
                        const int group = j + i, head = firstColumn / HEAD_DIM + group / HEAD_GROUPS, d = group % HEAD_GROUPS * 8, at = 8 * (round * (GROUPS / 2) + group);
                        const bool turns = head < heads + kvHeads;
                        float2 shiftLow = make_float2(0.f, 0.f), shiftHigh = shiftLow;
                        if (bias && head * HEAD_DIM < outputs)
                        {
                            const u32 *b = reinterpret_cast<const u32 *>(bias + head * HEAD_DIM + d) + (lane & 3);
                            shiftLow = make_float2(low_half(b[0]), high_half(b[0]));
                            shiftHigh = make_float2(low_half(b[HEAD_DIM / 4]), high_half(b[HEAD_DIM / 4]));
                        }
#pragma unroll
                        for (int half = 0; half < 2; half++)
                        {
                            const float4 t = turns ? *reinterpret_cast<const float4 *>(angles[half] + d) : make_float4(1.f, 0.f, 1.f, 0.f);
                            const float a0 = sums[at + 2 * half] + shiftLow.x, a1 = sums[at + 2 * half + 1] + shiftLow.y;
                            const float b0 = sums[at + 4 + 2 * half] + shiftHigh.x, b1 = sums[at + 5 + 2 * half] + shiftHigh.y;
                            low[2 * i + half] = pack2(a0 * t.x - b0 * t.y, a1 * t.z - b1 * t.w);
                            high[2 * i + half] = pack2(b0 * t.x + a0 * t.y, b1 * t.z + a1 * t.w);
                        }
                    }
                    const int chunk = j / HEAD_GROUPS * (HEAD_DIM / 8) + j % HEAD_GROUPS;
                    put_down(chunk, low[0], low[1], low[2], low[3]);
                    put_down(chunk + HEAD_GROUPS, high[0], high[1], high[2], high[3]);
                }
                // 128 columns are queries, keys or values of one head or two; keys and values go to their tokens' slots.
                if ((firstColumn + TILE_WEIGHTS / 2 - 1) / HEAD_DIM < heads)
                {
                    store_pieces(firstColumn);
                    continue;
                }
                named_barrier(1 + consumer, 128);
                for (int i = threadIdx.x & 127; i < 64 * 16; i += 128)
                {
                    const int r = i >> 4, chunk = i & 15, head = firstColumn / HEAD_DIM + chunk / (HEAD_DIM / 8), d = chunk % (HEAD_DIM / 8) * 8;
                    if (firstRow + r >= rows || head * HEAD_DIM >= outputs)
                        continue;
                    uint4 v;
                    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                        : "r"(staging + (chunk >> 3) * PIECE_BYTES + r * 128 + (((chunk & 7) ^ (r & 7)) << 4)) : "memory");
                    const int slot = slots[firstRow + r], kvHead = (head - heads) % kvHeads;
                    elem *to = head < heads ? reinterpret_cast<elem *>(queries) + (u64)(firstRow + r) * outputs + head * HEAD_DIM + d
                        : (head < heads + kvHeads ? keys : values) + (((u64)(slot / BLOCK_SIZE) * kvHeads + kvHead) * BLOCK_SIZE + slot % BLOCK_SIZE) * HEAD_DIM + d;
                    *reinterpret_cast<uint4 *>(to) = v;
                }
            }
#endif
        }
        if ((threadIdx.x & 127) == 0)
            asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }
    // The other CTA may still copy to this one or arrive at its barriers.
    cluster_sync();
}
