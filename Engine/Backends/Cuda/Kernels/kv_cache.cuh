// The paged cache of keys or of values: [blocks, kvHeads, BLOCK_SIZE, HEAD_DIM].
// Test: tests/Engine.GpuTests (every kernel that includes it).
#pragma once

#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 64
#endif

// Where a token's slot of a head begins, in elements.
__device__ __forceinline__ u64 cache_offset(int slot, int head, int kvHeads)
{
    return (((u64)(slot / BLOCK_SIZE) * kvHeads + head) * BLOCK_SIZE + slot % BLOCK_SIZE) * HEAD_DIM;
}
