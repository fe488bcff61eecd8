"""Checks decode attention against PyTorch in float64 on ragged batches and with --time measures it as decode steps run it.

Needs a CUDA machine with PyTorch. Run from anywhere (under half a minute):
    python3 tests/Engine.GpuTests/reference/decode_attention.py [--time]
"""
import sys

import torch

from decode import *

torch.manual_seed(4)
HOPPER = ARCHITECTURE == "sm_90a"
for dim, kv, group, block in ((128, 8, 4, 64), (128, 2, 8, 16), (128, 4, 5, 64), (64, 4, 8, 32), (96, 2, 1, 16), (256, 2, 2, 64), (192, 1, 4, 32), (32, 2, 3, 16), (16, 2, 2, 16), (128, 1, 16, 64)):
    for window in (0, 100):
        for contexts in ([int(x) for x in torch.randint(1, 900, (19,))], [1], [5000], [64, 65, 63, 128, 1], [int(x) for x in torch.randint(1, 24000 // kv, (90,))]):
            c = make(contexts, kv, group, dim, block, window)
            table = c["arrays"][0]
            for i, n in enumerate(contexts):     # what lies beyond a context must not matter
                if n % block:
                    last = table[i, n // block].item()
                    c["k"][last, :, n % block:] = c["v"][last, :, n % block:] = float("nan")
            ref = reference(c)
            for copies, grid in ((0, None), (0, MULTIPROCESSORS), (1, None)) if HOPPER and dim % 64 == 0 else ((0, None), (0, MULTIPROCESSORS)):
                plan(c, table, window, grid)
                c["out"].fill_(float("nan"))
                synchronize()
                for _ in range(3):
                    run(c, BULK_COPIES=copies)
                synchronize()
                e = ((c["out"].float() - ref).norm() / ref.norm()).item()
                check(f"dim {dim} kv {kv} group {group} block {block} window {window}, {len(contexts)} sequences, bulk copies {copies}, {c['grid']} CTAs", e < 5e-3 and int(c["arrivals"].abs().sum()) == 0, f"{e:.1e}")
if "--time" in sys.argv and not failed:
    compile_as_shipped()
    for n, context, copies in ((1, 1088, 32), (2, 1088, 32), (4, 1088, 32), (8, 1088, 32), (16, 1088, 16), (32, 1088, 8), (64, 1088, 8), (128, 1088, 4), (256, 1088, 4), (512, 1088, 2), (256, 4096, 2), (1, 32768, 16)):
        cases = [make([context] * n, 8, 4, 128, 64) for _ in range(copies)]
        gb = n * context * 8 * 128 * 4 / 1e9
        synchronize()
        for engine in (0, 1) if HOPPER else (0,):
            t = graph_us(lambda: [run(c, BULK_COPIES=engine) for c in cases], per=copies)
            print(f"{n:4} x {context:<6} bulk copies {engine} {t:7.1f} us {gb / t * 1e3:.2f} TB/s", flush=True)
        print(f"{n:4} x {context:<6} where shares begin {graph_us(lambda: [start(c) for c in cases], per=copies):5.1f} us, once a step", flush=True)
        del cases
finish()
