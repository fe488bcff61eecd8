// What stands around a product in a decode step, for the kernels that do it in passing.
// Test: tests/Engine.GpuTests/OwnMatmulTests.cs
#pragma once
#include "kv_cache.cuh"
#include "activations.cuh"

// 0: input as it is. 1: input is the residual stream, which the kernel normalises for itself (RMSNorm). 2: the same where the norm's weight is part of
// the product's, so that only the sums are divided by the root-mean-square of the input.
#ifndef NORM
#define NORM 0
#endif
// 0: store. 1: silu(gate) * up, output [rows, outputs / 2]. 2: rotate queries and keys, store keys and values to the cache. 3: add to output.
#ifndef EPILOGUE
#define EPILOGUE 0
#endif
