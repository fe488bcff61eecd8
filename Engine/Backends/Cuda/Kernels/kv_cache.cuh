// The paged cache of keys or of values: [blocks, kvHeads, BLOCK_SIZE, HEAD_DIM]. Where rows are whole pieces of 64 elements, the eight 16-byte chunks of
// each piece change places with the slot: chunk c lies at c ^ slot % 8. So the tensor cores want them in shared memory, where plain rows would meet in
// the same banks, and a copy of many rows at once can bring them as they are.
// Test: tests/Engine.GpuTests (every kernel that includes it).
#pragma once

#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 64
#endif

static_assert(BLOCK_SIZE % 8 == 0, "where chunks lie is the same in every block");

// Element d of a slot's row lies at d ^ cache_swizzle(slot); up to 8 elements from a multiple of their number on stay together.
__device__ __forceinline__ int cache_swizzle(int slot)
{
    return HEAD_DIM % 64 == 0 ? slot % 8 * 8 : 0;
}

// Where a token's slot of a head begins, in elements.
__device__ __forceinline__ u64 cache_offset(int slot, int head, int kvHeads)
{
    return (((u64)(slot / BLOCK_SIZE) * kvHeads + head) * BLOCK_SIZE + slot % BLOCK_SIZE) * HEAD_DIM;
}
