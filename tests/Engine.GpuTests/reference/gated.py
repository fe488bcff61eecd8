"""Checks the gated feed-forward product with its activation in passing against PyTorch and, with --time, measures it, sustained, beside cuBLAS and the separate kernel.

Needs a Hopper card with PyTorch. Run from anywhere (under a minute):
    python3 tests/Engine.GpuTests/reference/gated.py [--time]
"""
import sys
import time

import torch

from launching import *

torch.manual_seed(6)
bf16 = torch.bfloat16
STAGES = 4


def gated(out, x, w, **defines):
    rows, inputs = x.shape
    inner, row = w.shape[0] // 2, inputs * 2
    maps = maps_argument(tensor_map(w, [inputs, 8, 2, inner // 8], [64, 8, 2, 6], [row, inner * row, 8 * row]), tensor_map(x, [inputs, rows], [64, 128]), tensor_map(out, [inner, rows], [48, 128], swizzles=False))
    tiles = -(-rows // 256) * -(-inner // 96)
    kernel("matmul_gated_hopper.cu", "matmul_gated_hopper", **defines)((2 * min(MULTIPROCESSORS // 2, tiles),), 384, (maps, rows, inner, inputs), STAGES * 40960 + 24576 + 16 * STAGES + 8 + 1024)


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
    for rows, inner, inputs in ((8192, 14336, 4096), (8192, 13824, 5120), (16384, 14336, 4096), (2048, 14336, 4096), (512, 14336, 4096)):
        x = torch.randn(rows, inputs, device=device).to(bf16)
        w = (torch.randn(2 * inner, inputs, device=device) / inputs ** 0.5).to(bf16)
        both, out = torch.empty(rows, 2 * inner, device=device, dtype=bf16), torch.empty(rows, inner, device=device, dtype=bf16)
        silu = kernel("elementwise.cu", "silu_mul")
        variants = {
            "cuBLAS alone": lambda: torch.mm(x, w.T, out=both),
            "cuBLAS + silu": lambda: (torch.mm(x, w.T, out=both), silu((-(-inner // 8 // 512), rows), 128, (out, both, inner, None, 0, 0.0))),
        }
        for band in (4, 8, 16):
            variants[f"gated, band {band}"] = lambda band=band: gated(out, x, w, BAND=band)
        for name, run in variants.items():
            kernel_call = run
            burst, t = sustained_ms(kernel_call)
            flops = 4.0 * rows * inner * inputs
            print(f"{rows} x {inputs} -> {inner}: {name:16} {t:7.3f} ms sustained {flops / t / 1e9:5.0f} TFLOP/s, first {burst:7.3f} ms {flops / burst / 1e9:5.0f}", flush=True)
finish()
