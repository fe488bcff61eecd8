// Matrix product of a gated feed-forward layer with its activation: output[rows, inner] = silu(x * gate^T) * (x * up^T), x [rows, inputs], weight [2 * inner, inputs] with the gate's rows first.
// In: tensor maps of weight (8 rows of the gate, the same 8 of the other half, and so on), input and output. Out: elements; sums in float32. inner and inputs multiples of 8.
// Grid: persistent clusters of two CTAs of 384 threads; a cluster computes 256 rows by 96 outputs at a time and shares the weights' copies.
//   In a CTA one warpgroup copies, two take turns: while one multiplies its tile of 128 rows, alone, the other finishes and stores the one before.
// Source: warp-specialised wgmma pipeline with multicast bulk copies; bands of rows that stay in the L2 cache while the weights pass by.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#include "primitives.cuh"
#include "hopper.cuh"
#include "activations.cuh"

#ifndef STAGES
#define STAGES 4
#endif
#ifndef BAND
#define BAND 8                                   // tiles of rows that go together
#endif

#define TILE_ROWS 128                            // of a CTA
#define TILE_INPUTS 64                           // 128 bytes: one swizzled line
#define TILE_WEIGHTS 192                         // rows of the weight
#define TILE_OUTPUTS (TILE_WEIGHTS / 2)
#define INPUT_BYTES (TILE_ROWS * 128)
#define WEIGHT_BYTES (TILE_WEIGHTS * 128)
#define STAGE_BYTES (INPUT_BYTES + WEIGHT_BYTES)
#define PIECE_COLUMNS (TILE_OUTPUTS / 2)         // rows of 96 bytes meet in the same banks two by two, of 192 four by four
#define PIECE_BYTES (TILE_ROWS * PIECE_COLUMNS * 2)
#define CONSUMER_WARPS 4
#define TURN_BARRIER 3                           // and the next: named barriers at which a consumer waits for its turn

struct alignas(64) TensorMaps
{
    unsigned char weight[128];
    unsigned char input[128];
    unsigned char output[128];
};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1) matmul_gated_hopper(
    const __grid_constant__ TensorMaps maps, int rows, int inner, int inputs)
{
    extern __shared__ __align__(1024) unsigned char raw[];
    const u32 base = (shared_address(raw) + 1023) & ~1023u;
    const u32 staging = base + STAGES * STAGE_BYTES;
    const u32 full = staging + 2 * PIECE_BYTES, empty = full + STAGES * 8, stored = empty + STAGES * 8;
    const int lane = threadIdx.x & 31, warpgroup = threadIdx.x >> 7;
    const u32 rank = cluster_rank();

    const int blocks = (inputs + TILE_INPUTS - 1) / TILE_INPUTS;
    const int tileRows = (rows + 2 * TILE_ROWS - 1) / (2 * TILE_ROWS), tileColumns = (inner + TILE_OUTPUTS - 1) / TILE_OUTPUTS;
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
        barrier_init(stored, 1);
        publish_barriers();
    }
    cluster_sync();
    allow_next();
    wait_for_previous();

    if (warpgroup == 0)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
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
                    tensor_multicast_4d(at + INPUT_BYTES + rank * (WEIGHT_BYTES / 2), maps.weight, full + stage * 8, 3,
                        block * TILE_INPUTS, 0, 0, column * (TILE_WEIGHTS / 16) + rank * (TILE_WEIGHTS / 32));
                    stage = stage + 1 == STAGES ? 0 : stage + 1;
                    phase ^= stage == 0;
                }
            }
        }
    }
    else
    {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        const int consumer = warpgroup - 1, warp = (threadIdx.x >> 5) & 3;
        const u32 emptyThere = address_in(empty, rank ^ 1);
        auto release = [&](int stage) {
            if (lane == 0 && stage >= 0)
            {
                barrier_arrive(empty + stage * 8);
                barrier_arrive_in_cluster(emptyThere + stage * 8);
            }
        };
        float upper[TILE_WEIGHTS / 2] = {}, lower[TILE_WEIGHTS / 2] = {}; // undefined ones make the compiler wait after every product
        u32 stage = 0, phase = 0;
        int turn = 0;
        for (int tile = blockIdx.x / 2; tile < total; tile += clusters, turn++)
        {
            if ((turn & 1) != consumer)
            {
                const u32 after = stage + blocks, rounds = after / STAGES;
                stage = after - rounds * STAGES;
                phase ^= rounds & 1;
                continue;
            }
            int reading = -1;
            if (turn > 0)
                named_barrier(TURN_BARRIER + consumer, 256);
            for (int block = 0; block < blocks; block++)
            {
                barrier_wait(full + stage * 8, phase);
                const u64 a = matrix_descriptor(base + stage * STAGE_BYTES, 16, 1024);
                const u64 b = matrix_descriptor(base + stage * STAGE_BYTES + INPUT_BYTES, 16, 1024);
                wgmma_fence();
#pragma unroll
                for (int k = 0; k < 4; k++)
                {
                    wgmma_ss(upper, a + 2 * k, b + 2 * k, k > 0 || block > 0);
                    wgmma_ss(lower, a + (INPUT_BYTES / 2 >> 4) + 2 * k, b + 2 * k, k > 0 || block > 0);
                }
                wgmma_commit();
                wgmma_wait<1>();
                release(reading);
                reading = stage;
                stage = stage + 1 == STAGES ? 0 : stage + 1;
                phase ^= stage == 0;
            }
            if (tile + clusters < total)
                named_barrier_arrive(TURN_BARRIER + (consumer ^ 1), 256);
            wgmma_wait<0>();
            pin(upper);
            pin(lower);
            release(reading);

            // The store of the tile before must have read its rows.
            if (turn > 0)
                barrier_wait(stored, (turn - 1) & 1);
            // Sums 8 j .. 8 j + 3 belong to the gate, 8 j + 4 .. 8 j + 7 to what it multiplies, for the same 8 columns.
            auto finish = [&](const float *sums, int half) {
                return pack2(gated<SILU>(sums[2 * half], sums[2 * half + 4], 0.f, 0.f), gated<SILU>(sums[2 * half + 1], sums[2 * half + 5], 0.f, 0.f));
            };
            auto put = [&](const float (&sums)[TILE_WEIGHTS / 2], int firstRow) {
                const u32 place = staging + (firstRow + warp * 16 + (lane & 15)) * (PIECE_COLUMNS * 2) + (lane >> 4) * 16;
#pragma unroll
                for (int j = 0; j < TILE_OUTPUTS / 8; j += 2)
                {
                    const float *s = sums + 8 * j;
                    stmatrix4(place + j / (PIECE_COLUMNS / 8) * PIECE_BYTES + j % (PIECE_COLUMNS / 8) * 16, finish(s, 0), finish(s, 1), finish(s + 8, 0), finish(s + 8, 1));
                }
            };
            put(upper, 0);
            put(lower, TILE_ROWS / 2);
            fence_async_proxy();
            named_barrier(1 + consumer, 128);
            if ((threadIdx.x & 127) == 0)
            {
                int row, column;
                locate(tile, row, column);
#pragma unroll
                for (int piece = 0; piece < 2; piece++)
                    tensor_store_2d(maps.output, staging + piece * PIECE_BYTES, column * TILE_OUTPUTS + piece * PIECE_COLUMNS, row * TILE_ROWS);
                asm volatile("cp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;" ::: "memory");
                barrier_arrive(stored);
            }
        }
        if ((threadIdx.x & 127) == 0)
            asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }
    // The other CTA may still copy to this one or arrive at its barriers.
    cluster_sync();
}
