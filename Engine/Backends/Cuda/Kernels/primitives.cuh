// Element conversion, tensor-core, shared-memory and asynchronous-copy primitives for all kernels.
// No toolkit header is included: a user's machine may have NVRTC without one.
// ELEM_FP16=1 makes the element type IEEE half; otherwise it is bfloat16. Accumulation is float32 everywhere.
// Source: PTX ISA 8.4 (mma.m16n8k16, ldmatrix, cp.async, cvt).
// Test: tests/Engine.GpuTests (every kernel that includes it).
#pragma once

typedef unsigned short elem;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifndef ELEM_FP16
#define ELEM_FP16 0
#endif

#define NEG_INF (-1e30f)
#define LOG2E 1.4426950408889634f

__device__ __forceinline__ float to_float(elem x)
{
#if ELEM_FP16
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(x));
    return f;
#else
    return __uint_as_float((u32)x << 16);
#endif
}

__device__ __forceinline__ elem from_float(float x)
{
    elem r;
#if ELEM_FP16
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
#else
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
#endif
    return r;
}

// Two floats to one register, the first in the lower half.
__device__ __forceinline__ u32 pack2(float lo, float hi)
{
    u32 r;
#if ELEM_FP16
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
#else
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
#endif
    return r;
}

__device__ __forceinline__ float low_half(u32 x)
{
#if ELEM_FP16
    return to_float((elem)(x & 0xffffu));
#else
    return __uint_as_float(x << 16);
#endif
}

__device__ __forceinline__ float high_half(u32 x)
{
#if ELEM_FP16
    return to_float((elem)(x >> 16));
#else
    return __uint_as_float(x & 0xffff0000u);
#endif
}

// d[16,8] += a[16,16] b[16,8]
__device__ __forceinline__ void mma(float (&d)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1)
{
#if ELEM_FP16
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#endif
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

__device__ __forceinline__ u32 shared_address(const void *p)
{
    return (u32)__cvta_generic_to_shared(p);
}

__device__ __forceinline__ void ldmatrix4(u32 &r0, u32 &r1, u32 &r2, u32 &r3, u32 address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix4_trans(u32 &r0, u32 &r1, u32 &r2, u32 &r3, u32 address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3) : "r"(address) : "memory");
}

// Copies 16 bytes to shared memory, or writes 16 zeros when valid is false.
__device__ __forceinline__ void copy16_async(u32 destination, const void *source, bool valid)
{
    int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(destination), "l"(source), "r"(bytes) : "memory");
}

// The same for data of which all of 256 bytes will be read.
__device__ __forceinline__ void copy16_async_256(u32 destination, const void *source, bool valid)
{
    int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" :: "r"(destination), "l"(source), "r"(bytes) : "memory");
}

__device__ __forceinline__ void commit_copies()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int Pending>
__device__ __forceinline__ void wait_copies()
{
    asm volatile("cp.async.wait_group %0;" :: "n"(Pending) : "memory");
}

__device__ __forceinline__ float exp2_fast(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// cap * tanh(x * slope * ln 2 / 2) as 1 - 2 / (e^2y + 1): an exponential that overflows or vanishes gives the cap's ends, as it should.
// For attention: slope = 2 * (factor to base 2) / cap and the cap itself to base 2.
__device__ __forceinline__ float soft_cap(float x, float slope, float cap)
{
    return cap - __fdividef(2.f * cap, exp2_fast(x * slope) + 1.f);
}

__device__ __forceinline__ float warp_sum(float x)
{
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1)
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}

__device__ __forceinline__ float warp_max(float x)
{
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    return x;
}

// Data that is read once.
__device__ __forceinline__ uint4 load_streaming(const elem *p)
{
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}

__device__ __forceinline__ float squares_of(u32 x)
{
    return low_half(x) * low_half(x) + high_half(x) * high_half(x);
}

__device__ __forceinline__ void prefetch(const void *p)
{
    asm volatile("prefetch.global.L1 [%0];" :: "l"(p));
}

// With programmatic launches a kernel starts while the one before it ends. Nothing that an earlier kernel wrote or still reads
// may be touched before wait_for_previous; allow_next lets the following kernel start its own first part. Kernels whose CTAs have
// fixed shares want a multiprocessor each: small kernels before them call it when they themselves no longer wait, so that all are free.
__device__ __forceinline__ void wait_for_previous()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ __forceinline__ void allow_next()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
