"""Checks products of many rows with what follows them in passing against PyTorch and, with --time, measures them, sustained, beside cuBLAS and the separate kernels.

Needs a Hopper card with PyTorch. Run from anywhere (under a minute):
    python3 tests/Engine.GpuTests/reference/prompt_products.py [--time]
"""
import sys
import time

import torch

from launching import *

torch.manual_seed(6)
bf16 = torch.bfloat16
STAGES = 4


def product(out, x, w, epilogue, columns, bias=None, rope=(None,) * 5, heads=0, kv_heads=0, dim=128, block=64, **defines):
    (rows, inputs), outputs, row = x.shape, w.shape[0], x.shape[1] * 2
    weights = tensor_map(w, [inputs, 8, 2, outputs // 16], [64, 8, 2, 8], [row, outputs // 2 * row, 8 * row]) if epilogue == 1 else \
        tensor_map(w, [inputs, 8, 2, dim // 16, outputs // dim], [64, 8, 2, dim // 16, 128 // dim], [row, dim // 2 * row, 8 * row, dim * row])
    maps = maps_argument(weights, tensor_map(x, [inputs, rows], [64, 128]), tensor_map(out, [columns, rows], [64, 64]))
    tiles = -(-rows // 256) * -(-outputs // 256)
    kernel("matmul_prompt_hopper.cu", "matmul_prompt_hopper", EPILOGUE=epilogue, HEAD_DIM=dim, BLOCK_SIZE=block, **defines)(
        (2 * min(MULTIPROCESSORS // 2, tiles),), 384, (maps, out, rows, outputs, inputs, bias, *rope, heads, kv_heads), STAGES * 49152 + 32768 + 16 * STAGES + 1024)


def gated(out, x, w, **defines):
    product(out, x, w, 1, w.shape[0] // 2, **defines)


def rotation(rows, heads, kv_heads, dim, block, positions=2048):
    angle = torch.arange(positions, device=device).double()[:, None] / (10000 ** (torch.arange(0, dim, 2, device=device).double() / dim))
    table = torch.stack([angle.cos(), angle.sin()], -1).float().contiguous()
    at = torch.randint(0, positions, (rows,), device=device, dtype=torch.int32)
    blocks = rows // block + 5
    slots = torch.randperm(blocks * block, device=device)[:rows].int()
    k = torch.zeros(blocks, kv_heads, block, dim, device=device, dtype=bf16)
    return angle, (k, torch.zeros_like(k), table, at, slots)


for rows, heads, kv_heads, dim, inputs, block in ((256, 2, 1, 128, 64, 64), (300, 3, 2, 64, 1032, 16), (129, 5, 2, 128, 520, 64), (700, 32, 8, 128, 4096, 64), (333, 14, 2, 64, 896, 32), (1, 1, 1, 64, 64, 16)):
    outputs = (heads + 2 * kv_heads) * dim
    x, w = torch.randn(rows, inputs, device=device).to(bf16), (torch.randn(outputs, inputs, device=device) / inputs ** 0.5).to(bf16)
    for bias in (None, torch.randn(outputs, device=device).to(bf16)):
        angle, rope = rotation(rows, heads, kv_heads, dim, block)
        out = torch.full((rows, outputs), float("nan"), device=device, dtype=bf16)
        synchronize()
        for _ in range(2):
            product(out, x, w, 2, outputs, bias, rope, heads, kv_heads, dim, block)
        synchronize()
        y = (x.double() @ w.double().T + (bias.double() if bias is not None else 0)).view(rows, -1, dim)
        cos, sin = angle.cos()[rope[3].long()][:, None], angle.sin()[rope[3].long()][:, None]
        p, q = y[:, :heads + kv_heads, :dim // 2], y[:, :heads + kv_heads, dim // 2:]
        turned = torch.cat([p * cos - q * sin, q * cos + p * sin], -1)
        k, v = (c.transpose(1, 2).reshape(-1, kv_heads, dim)[rope[4].long()] for c in rope[:2])
        error = lambda a, b: ((a.double() - b).norm() / b.norm()).item()
        e = [error(out.view(rows, -1, dim)[:, :heads], turned[:, :heads]), error(k, turned[:, heads:]), error(v, y[:, heads + kv_heads:])]
        clean = int((rope[0] != 0).any(-1).sum()) == rows * kv_heads
        check(f"{rows} x {inputs} -> {heads} + 2 x {kv_heads} heads of {dim}, rotated", max(e) < 4e-3 and clean, " ".join(f"{n:.1e}" for n in e))

for rows, inner, inputs in ((256, 128, 64), (128, 128, 4096), (1, 904, 1032), (300, 904, 1032), (777, 14336, 4096), (2048, 13824, 5120), (8192, 1024, 520)):
    x = torch.randn(rows, inputs, device=device).to(bf16)
    w = (torch.randn(2 * inner, inputs, device=device) / inputs ** 0.5).to(bf16)
    guard = torch.full((rows * inner + 4096,), 7.0, device=device, dtype=bf16)
    out = guard[:rows * inner].view(rows, inner)
    out.fill_(float("nan"))
    synchronize()
    for _ in range(2):
        gated(out, x, w)
    synchronize()
    y = x.float() @ w.float().T
    expected = torch.nn.functional.silu(y[:, :inner]) * y[:, inner:]
    e = ((out.float() - expected).norm() / expected.norm()).item()
    check(f"{rows} x {inputs} -> {inner}", e < 4e-3 and bool((guard[rows * inner:] == 7).all()), f"{e:.1e}")


def sustained_ms(run, seconds=1.5):
    """Milliseconds of one run once the card has settled at its power limit."""
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    synchronize()
    end, times = time.time() + seconds, []
    while time.time() < end:
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with torch.cuda.stream(stream):
            a.record(stream)
            for _ in range(10):
                run()
            b.record(stream)
        b.synchronize()
        times.append(a.elapsed_time(b) / 10)
    return times[0], sum(times[len(times) // 2:]) / (len(times) - len(times) // 2)


if "--time" in sys.argv and not failed:
    compile_as_shipped()
    for rows, inner, inputs in ((8192, 14336, 4096), (8192, 13824, 5120), (2048, 14336, 4096), (512, 14336, 4096)):
        x = torch.randn(rows, inputs, device=device).to(bf16)
        w = (torch.randn(2 * inner, inputs, device=device) / inputs ** 0.5).to(bf16)
        both, out = torch.empty(rows, 2 * inner, device=device, dtype=bf16), torch.empty(rows, inner, device=device, dtype=bf16)
        silu = kernel("elementwise.cu", "silu_mul")
        variants = {
            "cuBLAS alone": lambda: torch.mm(x, w.T, out=both),
            "cuBLAS + silu": lambda: (torch.mm(x, w.T, out=both), silu((-(-inner // 8 // 256), rows), 128, (out, both, inner))),
        }
        for band in (8,):
            variants[f"gated, band {band}"] = lambda band=band: gated(out, x, w, BAND=band)
        for name, run in variants.items():
            kernel_call = run
            burst, t = sustained_ms(kernel_call)
            flops = 4.0 * rows * inner * inputs
            print(f"{rows} x {inputs} -> {inner}: {name:16} {t:7.3f} ms sustained {flops / t / 1e9:5.0f} TFLOP/s, first {burst:7.3f} ms {flops / burst / 1e9:5.0f}", flush=True)
    for rows, heads, kv_heads, inputs in ((8192, 32, 8, 4096), (8192, 40, 8, 5120)):
        outputs = (heads + 2 * kv_heads) * 128
        x, w = torch.randn(rows, inputs, device=device).to(bf16), (torch.randn(outputs, inputs, device=device) / inputs ** 0.5).to(bf16)
        out = torch.empty(rows, outputs, device=device, dtype=bf16)
        angle, rope = rotation(rows, heads, kv_heads, 128, 64)
        turn = kernel("elementwise.cu", "rope_store_kv", HEAD_DIM=128, BLOCK_SIZE=64)
        variants = {
            "cuBLAS alone": lambda: torch.mm(x, w.T, out=out),
            "cuBLAS + rotation": lambda: (torch.mm(x, w.T, out=out), turn((rows,), 256, (out, *rope, heads, kv_heads, 128))),
            "in passing": lambda: product(out, x, w, 2, outputs, None, rope, heads, kv_heads),
        }
        for name, run in variants.items():
            burst, t = sustained_ms(run, 1.0)
            flops = 2.0 * rows * outputs * inputs
            print(f"{rows} x {inputs} -> {outputs}: {name:17} {t:7.3f} ms sustained {flops / t / 1e9:5.0f} TFLOP/s", flush=True)
finish()
