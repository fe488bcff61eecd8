// Rotary embedding with KV write for heads that rope_store_kv of elementwise.cu does not cover: RMSNorm of each query and key head first, any
// even number of dimensions that turn, queries scaled by position. With input [tokens, inputs], qkv is a product of it that is still to be multiplied
// by 1 / rms of its rows, and bias (may be null) still to be added.
// In: qkv [tokens, (heads + 2 kvHeads) * HEAD_DIM], norm weights [HEAD_DIM] or null, cosSin [rows, rotaryDim / 2] (cos, sin). Out: queries in place, keys and values at their slots.
// Grid: one CTA of 256 threads per token, a head a warp.
// Source: Zhang and Sennrich 2019 (RMSNorm), Su et al. 2021 (RoPE, half-split pairs). Test: tests/Engine.GpuTests/Kernels/KernelParityTests.cs
#include "primitives.cuh"
#include "kv_cache.cuh"
#include "row_scale.cuh"

#define WARPS 8

extern "C" __global__ void __launch_bounds__(WARPS * 32) rope_heads(elem *__restrict__ qkv, elem *__restrict__ keys, elem *__restrict__ values,
    const float2 *__restrict__ cosSin, const int *__restrict__ angleRows, const int *__restrict__ slots,
    int heads, int kvHeads, int rotaryDim, const elem *__restrict__ queryNorm, const elem *__restrict__ keyNorm, float epsilon, float weightOffset,
    const float *__restrict__ queryScales, const int *__restrict__ positions,
    const elem *__restrict__ input, int inputs, float inputEpsilon, const elem *__restrict__ bias)
{
    allow_next();
    wait_for_previous();
    __shared__ float staged[WARPS][HEAD_DIM];
    const int token = blockIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int half = rotaryDim / 2;
    elem *row = qkv + (u64)token * (heads + 2 * kvHeads) * HEAD_DIM;
    const float2 *table = cosSin + (u64)angleRows[token] * half;
    const float queryScale = queryScales ? queryScales[positions[token]] : 1.f;
    const int slot = slots[token], swizzle = cache_swizzle(slot) / 2;       // in pairs
    const u64 slotBase = cache_offset(slot, 0, kvHeads);
    float *x = staged[warp];
    const float inputScale = input ? row_scale(input + (u64)token * inputs, inputs, inputEpsilon) : 1.f;

    for (int head = warp; head < heads + 2 * kvHeads; head += WARPS)
    {
        const u32 *source = reinterpret_cast<const u32 *>(row + head * HEAD_DIM);
        if (head >= heads + kvHeads)
        {
            u32 *destination = reinterpret_cast<u32 *>(values + slotBase + (u64)(head - heads - kvHeads) * BLOCK_SIZE * HEAD_DIM);
            for (int i = lane; i < HEAD_DIM / 2; i += 32)
            {
                const float2 v = finished(source[i], inputScale, bias, head * HEAD_DIM + 2 * i);
                destination[i ^ swizzle] = pack2(v.x, v.y);
            }
            continue;
        }
        const bool isKey = head >= heads;
        const elem *norm = isKey ? keyNorm : queryNorm;
        float squares = 0.f;
        for (int i = lane; i < HEAD_DIM / 2; i += 32)
        {
            const float2 v = finished(source[i], inputScale, bias, head * HEAD_DIM + 2 * i);
            squares += v.x * v.x + v.y * v.y;
            x[2 * i] = v.x;
            x[2 * i + 1] = v.y;
        }
        if (norm)
        {
            const float inverse = rsqrtf(warp_sum(squares) / HEAD_DIM + epsilon);
            for (int i = lane; i < HEAD_DIM / 2; i += 32)
            {
                const u32 w = reinterpret_cast<const u32 *>(norm)[i];
                x[2 * i] *= inverse * (low_half(w) + weightOffset);
                x[2 * i + 1] *= inverse * (high_half(w) + weightOffset);
            }
        }
        __syncwarp();
        const float scale = isKey ? 1.f : queryScale;
        u32 *destination = isKey ? reinterpret_cast<u32 *>(keys + slotBase + (u64)(head - heads) * BLOCK_SIZE * HEAD_DIM) : reinterpret_cast<u32 *>(row + head * HEAD_DIM);
        for (int i = lane; i < HEAD_DIM / 2; i += 32)
        {
            float y[2];
#pragma unroll
            for (int j = 0; j < 2; j++)
            {
                const int d = 2 * i + j;
                y[j] = x[d];
                if (d < half)
                {
                    const float2 t = table[d];
                    y[j] = x[d] * t.x - x[d + half] * t.y;
                }
                else if (d < rotaryDim)
                {
                    const float2 t = table[d - half];
                    y[j] = x[d] * t.x + x[d - half] * t.y;
                }
            }
            destination[isKey ? i ^ swizzle : i] = pack2(y[0] * scale, y[1] * scale);
        }
        __syncwarp();                            // the next head takes the same place
    }
}
