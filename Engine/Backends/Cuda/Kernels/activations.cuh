// The functions of gated feed-forward layers: gated<F>(gate, up) = F(gate) * up, in float32.
// Numbers as Engine/Model/Activation.cs counts them; CLAMPED is gpt-oss's (clamp(up) + 1) * g * sigmoid(alpha * g), g = min(gate, limit).
// Source: Shazeer 2020; Hendrycks and Gimpel 2016 (GELU and its tanh form); transformers' modeling_gpt_oss.py for CLAMPED.
// Test: tests/Engine.GpuTests (every kernel that includes it).
#pragma once

#define SILU 0
#define GELU 1
#define GELU_TANH 2
#define RELU 3
#define CLAMPED 4

template <int Activation>
__device__ __forceinline__ float gated(float gate, float up, float alpha, float limit)
{
    if (Activation == SILU)
        return __fdividef(gate, 1.f + __expf(-gate)) * up;
    if (Activation == GELU)
        return 0.5f * gate * (1.f + erff(gate * 0.70710678f)) * up;
    if (Activation == GELU_TANH)
        // (1 + tanh(z / 2)) / 2 is sigmoid(z)
        return __fdividef(gate, 1.f + __expf(-1.5957691216f * fmaf(gate * gate * gate, 0.044715f, gate))) * up;
    if (Activation == RELU)
        return fmaxf(gate, 0.f) * up;
    const float g = fminf(gate, limit);
    return (fminf(fmaxf(up, -limit), limit) + 1.f) * __fdividef(g, 1.f + __expf(-alpha * g));
}
