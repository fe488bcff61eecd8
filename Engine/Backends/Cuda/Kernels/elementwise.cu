// Everything between the matrix products: embedding, RMSNorm with residual add, rotary embedding with KV write, gated activations, row and block copies.
// Rows are [hidden] elements (bf16 or fp16); weights have the element type; sums in float32.
// Grid: one CTA per row (embed, norms, rope, gather) or pieces of rows (activations); block: see each kernel.
// Source: Zhang and Sennrich 2019 (RMSNorm), Su et al. 2021 (RoPE, half-split pairs), Shazeer 2020 (gated activations).
// Test: tests/Engine.GpuTests/Kernels/KernelParityTests.cs
#include "primitives.cuh"
#include "activations.cuh"
#include "kv_cache.cuh"
#include "row_scale.cuh"

// ids[token] -> output[token, hidden]; blockDim.x * 8 >= hidden is not required.
extern "C" __global__ void embed(elem *__restrict__ output, const elem *__restrict__ table, const int *__restrict__ ids, int hidden, float scale)
{
    wait_for_previous();
    allow_next();
    const uint4 *source = reinterpret_cast<const uint4 *>(table + (u64)ids[blockIdx.x] * hidden);
    uint4 *destination = reinterpret_cast<uint4 *>(output + (u64)blockIdx.x * hidden);
    for (int i = threadIdx.x; i < hidden / 8; i += blockDim.x)
    {
        uint4 v = source[i];
        if (scale != 1.f)
        {
            v.x = pack2(low_half(v.x) * scale, high_half(v.x) * scale);
            v.y = pack2(low_half(v.y) * scale, high_half(v.y) * scale);
            v.z = pack2(low_half(v.z) * scale, high_half(v.z) * scale);
            v.w = pack2(low_half(v.w) * scale, high_half(v.w) * scale);
        }
        destination[i] = v;
    }
}

// residual[row] += delta[row] (delta may be null); output[row] = residual / rms(residual) * (weight + weightOffset), without the factor where weight
// is null and weightOffset 1; the output may be the residual itself. hidden <= blockDim * 8 * NORM_CHUNKS.
// The host says how many chunks and threads a row of the model takes: fewer registers, so that more rows are on their way at once.
#ifndef NORM_CHUNKS
#define NORM_CHUNKS 4
#endif
#ifndef NORM_THREADS
#define NORM_THREADS 1024
#define NORM_CTAS 1
#else
#define NORM_CTAS (NORM_THREADS > 1536 / 2 ? 1 : 1536 / NORM_THREADS > 16 ? 16 : 1536 / NORM_THREADS)
#endif
extern "C" __global__ void __launch_bounds__(NORM_THREADS, NORM_CTAS) add_rms_norm(elem *output, elem *residual, const elem *__restrict__ delta,
    const elem *__restrict__ weight, int hidden, float epsilon, float weightOffset)
{
    wait_for_previous();
    allow_next();
    uint4 *r = reinterpret_cast<uint4 *>(residual + (u64)blockIdx.x * hidden);
    const uint4 *d = reinterpret_cast<const uint4 *>(delta + (u64)blockIdx.x * hidden);
    uint4 *o = reinterpret_cast<uint4 *>(output + (u64)blockIdx.x * hidden);
    const uint4 *w = reinterpret_cast<const uint4 *>(weight);
    const int chunks = hidden / 8;
    uint4 values[NORM_CHUNKS], deltas[NORM_CHUNKS];
    // All loads first: the kernel is bound by how many are in flight.
#pragma unroll
    for (int c = 0; c < NORM_CHUNKS; c++)
    {
        int i = threadIdx.x + c * blockDim.x;
        values[c] = i < chunks ? r[i] : make_uint4(0, 0, 0, 0);
        deltas[c] = delta && i < chunks ? d[i] : make_uint4(0, 0, 0, 0);
    }
    float squares = 0.f;
#pragma unroll
    for (int c = 0; c < NORM_CHUNKS; c++)
    {
        int i = threadIdx.x + c * blockDim.x;
        u32 *x = reinterpret_cast<u32 *>(&values[c]);
        if (delta)
        {
            const u32 *y = reinterpret_cast<const u32 *>(&deltas[c]);
#pragma unroll
            for (int j = 0; j < 4; j++)
                x[j] = pack2(low_half(x[j]) + low_half(y[j]), high_half(x[j]) + high_half(y[j]));
            if (i < chunks)
                r[i] = values[c];
        }
#pragma unroll
        for (int j = 0; j < 4; j++)
            squares += squares_of(x[j]);
    }
    float inverse = rsqrtf(block_sum(squares) / hidden + epsilon);
#pragma unroll
    for (int c = 0; c < NORM_CHUNKS; c++)
    {
        int i = threadIdx.x + c * blockDim.x;
        if (i >= chunks)
            break;
        uint4 g = weight ? w[i] : make_uint4(0, 0, 0, 0);
        const u32 *x = reinterpret_cast<const u32 *>(&values[c]), *y = reinterpret_cast<const u32 *>(&g);
        uint4 v;
        u32 *z = reinterpret_cast<u32 *>(&v);
#pragma unroll
        for (int j = 0; j < 4; j++)
            z[j] = pack2(low_half(x[j]) * inverse * (low_half(y[j]) + weightOffset), high_half(x[j]) * inverse * (high_half(y[j]) + weightOffset));
        o[i] = v;
    }
}

// matrix[row] *= weight + offset, weight [inputs]: a norm's weight becomes part of the product that reads the norm. Grid: the matrix's rows.
extern "C" __global__ void fold_norm(elem *__restrict__ matrix, const float *__restrict__ weight, int inputs, float offset)
{
    u32 *row = reinterpret_cast<u32 *>(matrix + (u64)blockIdx.x * inputs);
    for (int i = threadIdx.x; i < inputs / 2; i += blockDim.x)
        row[i] = pack2(low_half(row[i]) * (weight[2 * i] + offset), high_half(row[i]) * (weight[2 * i + 1] + offset));
}

// Moves Width elements.
template <int Width>
struct alignas(Width * 2) Piece
{
    u32 word[Width / 2];
};

template <int Width>
__device__ __forceinline__ void rotate_and_store(elem *row, elem *keySlot, elem *valueSlot, int swizzle, const float2 *table, int heads, int kvHeads, int rotaryDim,
    float scale, const elem *bias)
{
    typedef Piece<Width> P;
    auto moved = [&](P piece, int at) {
#pragma unroll
        for (int j = 0; j < Width / 2; j++)
        {
            const float2 v = finished(piece.word[j], scale, bias, at + 2 * j);
            piece.word[j] = pack2(v.x, v.y);
        }
        return piece;
    };
    const int half = rotaryDim / 2;
    const int pairs = half / Width, rest = (HEAD_DIM - rotaryDim) / Width, perHead = pairs + rest;
    const int rotated = (heads + kvHeads) * perHead;
    const int total = rotated + kvHeads * (HEAD_DIM / Width);
    for (int i = threadIdx.x; i < total; i += blockDim.x)
    {
        if (i < rotated)
        {
            int head = i / perHead, piece = i - head * perHead;
            elem *source = row + head * HEAD_DIM;
            bool isKey = head >= heads;
            elem *destination = isKey ? keySlot + (u64)(head - heads) * BLOCK_SIZE * HEAD_DIM : source;
            const int places = isKey ? swizzle : 0;
            if (piece < pairs)
            {
                int d = piece * Width;
                P a = *reinterpret_cast<P *>(source + d), b = *reinterpret_cast<P *>(source + half + d), x, y;
#pragma unroll
                for (int j = 0; j < Width / 2; j++)
                {
                    float4 t = *reinterpret_cast<const float4 *>(table + d + 2 * j);       // cos, sin of two pairs
                    const float2 u = finished(a.word[j], scale, bias, head * HEAD_DIM + d + 2 * j), v = finished(b.word[j], scale, bias, head * HEAD_DIM + half + d + 2 * j);
                    x.word[j] = pack2(u.x * t.x - v.x * t.y, u.y * t.z - v.y * t.w);
                    y.word[j] = pack2(v.x * t.x + u.x * t.y, v.y * t.z + u.y * t.w);
                }
                *reinterpret_cast<P *>(destination + (d ^ places)) = x;
                *reinterpret_cast<P *>(destination + ((half + d) ^ places)) = y;
            }
            else
            {
                int d = rotaryDim + (piece - pairs) * Width;
                *reinterpret_cast<P *>(destination + (d ^ places)) = moved(*reinterpret_cast<P *>(source + d), head * HEAD_DIM + d);
            }
        }
        else
        {
            int j = i - rotated;
            int head = j / (HEAD_DIM / Width), d = (j % (HEAD_DIM / Width)) * Width;
            const int at = (heads + kvHeads + head) * HEAD_DIM + d;
            *reinterpret_cast<P *>(valueSlot + (u64)head * BLOCK_SIZE * HEAD_DIM + (d ^ swizzle)) = moved(*reinterpret_cast<P *>(row + at), at);
        }
    }
}

// Rotates queries in place, writes rotated keys and plain values to their cache slots. cosSin: [positions, rotaryDim / 2] (cos, sin).
// qkv is a product of input [rows, inputs] that is still to be multiplied by 1 / rms of its rows of input (null: it is not), and bias (may be null) to be added.
extern "C" __global__ void rope_store_kv(elem *__restrict__ qkv, elem *__restrict__ keys, elem *__restrict__ values,
    const float2 *__restrict__ cosSin, const int *__restrict__ positions, const int *__restrict__ slots,
    int heads, int kvHeads, int rotaryDim, const elem *__restrict__ input, int inputs, float epsilon, const elem *__restrict__ bias)
{
    wait_for_previous();
    allow_next();
    const int token = blockIdx.x;
    elem *row = qkv + (u64)token * (heads + 2 * kvHeads) * HEAD_DIM;
    const int half = rotaryDim / 2;
    const float2 *table = cosSin + (u64)positions[token] * half;
    const int slot = slots[token], swizzle = cache_swizzle(slot);
    const u64 slotBase = cache_offset(slot, 0, kvHeads);
    const float scale = input ? row_scale(input + (u64)token * inputs, inputs, epsilon) : 1.f;
    if (half % 8 == 0)
        rotate_and_store<8>(row, keys + slotBase, values + slotBase, swizzle, table, heads, kvHeads, rotaryDim, scale, bias);
    else
        rotate_and_store<4>(row, keys + slotBase, values + slotBase, swizzle, table, heads, kvHeads, rotaryDim, scale, bias);
}

#ifndef GATE_CHUNKS
#define GATE_CHUNKS 4                            // of 8 elements, of a thread: all on their way before the first is waited for
#endif
// gateUp [rows, 2 * inner] (gate first) -> output [rows, inner]. Grid: (inner / 8 / (GATE_CHUNKS * blockDim) rounded up, rows).
// input [rows, inputs], if not null: gate and up are a product of it that is still to be multiplied by 1 / rms of its rows.
template <int Activation>
__device__ __forceinline__ void gate_rows(elem *__restrict__ output, const elem *__restrict__ gateUp, int inner, float alpha, float limit,
    const elem *input = nullptr, int inputs = 0, float epsilon = 0.f)
{
    wait_for_previous();
    allow_next();
    const int chunks = inner / 8;
    const u64 row = blockIdx.y;
    const uint4 *source = reinterpret_cast<const uint4 *>(gateUp + row * 2 * inner);
    uint4 *destination = reinterpret_cast<uint4 *>(output + row * inner);
    const int first = blockIdx.x * GATE_CHUNKS * blockDim.x + threadIdx.x;
    uint4 g[GATE_CHUNKS], u[GATE_CHUNKS];
#pragma unroll
    for (int n = 0; n < GATE_CHUNKS; n++)
    {
        int c = first + n * blockDim.x;
        if (c < chunks)
            g[n] = source[c], u[n] = source[chunks + c];
    }
    const float scale = input ? row_scale(input + row * inputs, inputs, epsilon) : 1.f;
#pragma unroll
    for (int n = 0; n < GATE_CHUNKS; n++)
    {
        int c = first + n * blockDim.x;
        if (c >= chunks)
            break;
        const u32 *x = reinterpret_cast<const u32 *>(&g[n]), *y = reinterpret_cast<const u32 *>(&u[n]);
        uint4 v;
        u32 *z = reinterpret_cast<u32 *>(&v);
#pragma unroll
        for (int j = 0; j < 4; j++)
            z[j] = pack2(gated<Activation>(low_half(x[j]) * scale, low_half(y[j]) * scale, alpha, limit), gated<Activation>(high_half(x[j]) * scale, high_half(y[j]) * scale, alpha, limit));
        destination[c] = v;
    }
}

extern "C" __global__ void silu_mul(elem *__restrict__ output, const elem *__restrict__ gateUp, int inner, const elem *__restrict__ input, int inputs, float epsilon)
{
    gate_rows<SILU>(output, gateUp, inner, 0.f, 0.f, input, inputs, epsilon);
}

extern "C" __global__ void gelu_mul(elem *__restrict__ output, const elem *__restrict__ gateUp, int inner, const elem *__restrict__ input, int inputs, float epsilon)
{
    gate_rows<GELU>(output, gateUp, inner, 0.f, 0.f, input, inputs, epsilon);
}

extern "C" __global__ void gelu_tanh_mul(elem *__restrict__ output, const elem *__restrict__ gateUp, int inner, const elem *__restrict__ input, int inputs, float epsilon)
{
    gate_rows<GELU_TANH>(output, gateUp, inner, 0.f, 0.f, input, inputs, epsilon);
}

extern "C" __global__ void relu_mul(elem *__restrict__ output, const elem *__restrict__ gateUp, int inner, const elem *__restrict__ input, int inputs, float epsilon)
{
    gate_rows<RELU>(output, gateUp, inner, 0.f, 0.f, input, inputs, epsilon);
}

// gpt-oss: its gate and up are clamped to limit.
extern "C" __global__ void clamped_mul(elem *__restrict__ output, const elem *__restrict__ gateUp, int inner, float alpha, float limit)
{
    gate_rows<CLAMPED>(output, gateUp, inner, alpha, limit);
}

// x = cap * tanh(x / cap), in place. Grid: any number of CTAs.
extern "C" __global__ void cap_logits(float *__restrict__ x, u64 count, float cap)
{
    allow_next();
    wait_for_previous();
    const float slope = 2.f * LOG2E / cap;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (u64)gridDim.x * blockDim.x)
        x[i] = soft_cap(x[i], slope, cap);
}

// output[row] = input[rows[row]]
extern "C" __global__ void gather_rows(elem *__restrict__ output, const elem *__restrict__ input, const int *__restrict__ rows, int hidden)
{
    wait_for_previous();
    allow_next();
    const uint4 *source = reinterpret_cast<const uint4 *>(input + (u64)rows[blockIdx.x] * hidden);
    uint4 *destination = reinterpret_cast<uint4 *>(output + (u64)blockIdx.x * hidden);
    for (int i = threadIdx.x; i < hidden / 8; i += blockDim.x)
        destination[i] = source[i];
}

// Copy-on-write: pairs [count, 2] of (source, destination) blocks, in every layer. Grid: (count, layers * 2).
extern "C" __global__ void copy_blocks(elem *const *__restrict__ caches, const int *__restrict__ pairs, int blockElems)
{
    elem *cache = caches[blockIdx.y];
    const uint4 *source = reinterpret_cast<const uint4 *>(cache + (u64)pairs[blockIdx.x * 2] * blockElems);
    uint4 *destination = reinterpret_cast<uint4 *>(cache + (u64)pairs[blockIdx.x * 2 + 1] * blockElems);
    for (int i = threadIdx.x; i < blockElems / 8; i += blockDim.x)
        destination[i] = source[i];
}

// ids[targets[i]] = sampled[sources[i]]: tokens that the host does not know yet.
extern "C" __global__ void feed_back(int *__restrict__ ids, const int *__restrict__ sampled, const int *__restrict__ targets, const int *__restrict__ sources, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        ids[targets[i]] = sampled[sources[i]];
}

// Dummy weights: uniform in [-scale, scale) from a hash of the index.
extern "C" __global__ void fill_random(elem *__restrict__ x, u64 count, u32 seed, float scale)
{
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (u64)gridDim.x * blockDim.x)
    {
        u32 h = (u32)i * 2654435761u ^ (u32)(i >> 32) * 40503u ^ seed;
        h ^= h >> 16; h *= 0x7feb352du; h ^= h >> 15; h *= 0x846ca68bu; h ^= h >> 16;
        x[i] = from_float(((float)h * (1.f / 2147483648.f) - 1.f) * scale);
    }
}
