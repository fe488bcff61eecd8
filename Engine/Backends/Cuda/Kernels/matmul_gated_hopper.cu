// Matrix product of a gated feed-forward layer with its activation: output[rows, inner] = silu(x * gate^T) * (x * up^T), x [rows, inputs], weight [2 * inner, inputs] with the gate's rows first.
// In: tensor maps of weight (8 rows of the gate, the same 8 of the other half, and so on), input and output. Out: elements; sums in float32. inner and inputs multiples of 8.
// Grid: persistent clusters of two CTAs of 384 threads (one warpgroup copies, two multiply 64 rows each); a cluster computes 256 rows by 128 outputs and shares the weights' copies.
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
#define TILE_WEIGHTS 256                         // rows of the weight: 128 outputs
#define INPUT_BYTES (TILE_ROWS * 128)
#define WEIGHT_BYTES (TILE_WEIGHTS * 128)
#define STAGE_BYTES (INPUT_BYTES + WEIGHT_BYTES)
#define OUTPUT_BYTES (TILE_ROWS * TILE_WEIGHTS)  // 128 columns of 2 bytes
#define PIECE_BYTES (64 * 128)                   // 64 rows of 64 columns
#define CONSUMER_WARPS 8

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
    const u32 outputBase = base + STAGES * STAGE_BYTES;
    const u32 full = outputBase + OUTPUT_BYTES, empty = full + STAGES * 8;
    const int lane = threadIdx.x & 31, warpgroup = threadIdx.x >> 7;
    const u32 rank = cluster_rank();

    const int blocks = (inputs + TILE_INPUTS - 1) / TILE_INPUTS;
    const int tileRows = (rows + 2 * TILE_ROWS - 1) / (2 * TILE_ROWS), tileColumns = (inner + TILE_WEIGHTS / 2 - 1) / (TILE_WEIGHTS / 2);
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
        publish_barriers();
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

            // The store of the tile before must have read its rows.
            if ((threadIdx.x & 127) == 0)
                asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
            named_barrier(1 + consumer, 128);
            // Sums 8 j .. 8 j + 3 belong to the gate, 8 j + 4 .. 8 j + 7 to what it multiplies, for the same 8 columns.
            u32 packed[TILE_WEIGHTS / 8];
#pragma unroll
            for (int j = 0; j < TILE_WEIGHTS / 16; j++)
#pragma unroll
                for (int half = 0; half < 2; half++)
                {
                    const float *gate = sums + 8 * j + 2 * half, *up = gate + 4;
                    packed[2 * j + half] = pack2(gated<SILU>(gate[0], up[0], 0.f, 0.f), gated<SILU>(gate[1], up[1], 0.f, 0.f));
                }
            const int inRow = (lane & 7) + ((lane >> 3) & 1) * 8;
#pragma unroll
            for (int j = 0; j < TILE_WEIGHTS / 16; j += 2)
            {
                const int chunk = (j & 7) + (lane >> 4);
                stmatrix4(staging + (j >> 3) * PIECE_BYTES + (warp * 16 + inRow) * 128 + ((chunk ^ (inRow & 7)) << 4), packed[2 * j], packed[2 * j + 1], packed[2 * j + 2], packed[2 * j + 3]);
            }
            fence_async_proxy();
            named_barrier(1 + consumer, 128);
            if ((threadIdx.x & 127) == 0)
            {
#pragma unroll
                for (int piece = 0; piece < 2; piece++)
                    tensor_store_2d(maps.output, staging + piece * PIECE_BYTES, column * (TILE_WEIGHTS / 2) + piece * 64, row * TILE_ROWS + consumer * 64);
                asm volatile("cp.async.bulk.commit_group;" ::: "memory");
            }
        }
        if ((threadIdx.x & 127) == 0)
            asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }
    // The other CTA may still copy to this one or arrive at its barriers.
    cluster_sync();
}
