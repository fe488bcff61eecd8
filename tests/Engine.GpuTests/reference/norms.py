"""Checks add + RMSNorm against PyTorch and, with --time, measures it with few and with many registers.

Needs a CUDA machine with PyTorch. Run from anywhere (a few seconds):
    python3 tests/Engine.GpuTests/reference/norms.py [--time]
"""
import sys

import torch

from launching import *

torch.manual_seed(3)


def threads_of(hidden):
    return min(1024, max(32, (hidden // 16 + 31) // 32 * 32))


def norm(out, r, d, w, general=False):
    rows, hidden = r.shape
    threads = threads_of(hidden)
    defines = {} if general else dict(NORM_THREADS=threads, NORM_CHUNKS=-(-hidden // 8 // threads))
    kernel("elementwise.cu", "add_rms_norm", **defines)((rows,), threads, (out, r, d, w, hidden, 1e-5, 0.0))


for hidden in (64, 104, 4096, 5120, 8192):
    for general in (False, True):
        r, d = (torch.randn(37, hidden, device=device).bfloat16() for _ in range(2))
        w, out = torch.rand(hidden, device=device).bfloat16(), torch.full((37, hidden), float("nan"), device=device, dtype=torch.bfloat16)
        total = (r.float() + d.float()).bfloat16()
        f = total.double()
        expected = f / (f.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * w.double()
        synchronize()
        norm(out, r, d, w, general)
        synchronize()
        e = ((out.double() - expected).norm() / expected.norm()).item()
        check(f"add + RMSNorm of {hidden}, {'general' if general else 'for this width'}", e < 4e-3 and torch.equal(r, total), f"{e:.1e}")
if "--time" in sys.argv and not failed:
    for rows, hidden in ((8192, 4096), (8192, 5120), (8192, 8192)):
        r, d = (torch.randn(rows, hidden, device=device).bfloat16() for _ in range(2))
        w, out = torch.rand(hidden, device=device).bfloat16(), torch.empty(rows, hidden, device=device, dtype=torch.bfloat16)
        for _ in range(2):
            for general in (True, False):
                t = graph_us(lambda: [norm(out, r, d, w, general) for _ in range(8)], per=8)
                print(f"{rows} x {hidden} {'general' if general else 'for this width (default)':24} {t:6.1f} us {rows * hidden * 8 / t / 1e6:.2f} TB/s")
finish()
