"""Checks Hopper's prompt attention against PyTorch in float64, both orders of its pipeline, and with --time measures them.

Needs a Hopper card with PyTorch. Run from anywhere (under half a minute):
    python3 tests/Engine.GpuTests/reference/prompt_attention.py [--time]
"""
import sys

import torch

from prompt import *

torch.manual_seed(9)
VARIANTS = {"one tile after the other": dict(ACROSS_TILES=0), "across tiles": dict()}


def main():
    if ARCHITECTURE != "sm_90a":
        print("needs a Hopper card")
        return
    for dim, kv, group, block in ((128, 8, 4, 64), (128, 2, 8, 16), (64, 4, 8, 32), (128, 1, 5, 128)):
        for window in (0, 100):
            contexts = torch.randint(1, 900, (17,)).tolist() + [128, 256, 1024, 129]
            queries = [min(c, int(torch.randint(2, 300, ()))) for c in contexts[:17]] + [128, 256, 1024, 2]
            queries[0] = contexts[0]
            c = make(contexts, queries, kv, group, dim, block)
            expected = reference(c, window)
            for name, variant in VARIANTS.items():
                c["out"].fill_(float("nan"))
                synchronize()
                run(c, window, **variant)
                synchronize()
                e = ((c["out"].float() - expected).norm() / expected.norm()).item()
                check(f"prompt dim {dim} kv {kv} group {group} block {block} window {window}, {name}", e < 5e-3, f"{e:.1e}")
    if "--time" not in sys.argv or failed:
        return
    compile_as_shipped()
    for count, length, dim in ((8, 1024, 128), (32, 256, 128), (2, 4096, 128), (1, 16384, 128), (8, 1024, 64)):
        c = make([length] * count, [length] * count, 8, 4, dim, 64)
        flops = count * 32 * 4 * dim * length * length / 2
        for _ in range(2):                       # twice: the spread between the rounds is noise
            for name, variant in VARIANTS.items():
                t = graph_us(lambda: [run(c, 0, **variant) for _ in range(4)], per=4)
                print(f"{count:3} x {length:<6} dim {dim:3} {name:26} {t:8.1f} us {flops / t / 1e6:6.0f} TFLOP/s", flush=True)


main()
finish()
