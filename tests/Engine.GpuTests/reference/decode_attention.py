"""Checks decode attention against PyTorch in float64 on ragged batches and with --time measures it as decode steps run it.

Needs a CUDA machine with PyTorch. Run from anywhere (under half a minute):
    python3 tests/Engine.GpuTests/reference/decode_attention.py [--time]
"""
import math
import sys

import torch

from launching import *

torch.manual_seed(4)


def stages_of(dim):
    return 2 if dim > 128 else 3 if dim > 96 else 4


def make(contexts, kv_heads, group, dim, block, window=0):
    heads, n = kv_heads * group, len(contexts)
    counts = [-(-c // block) for c in contexts]
    order = torch.randperm(sum(counts)) + 1
    table, at = torch.zeros(n, max(counts), dtype=torch.int32), 0
    for i, m in enumerate(counts):
        table[i, :m] = order[at:at + m]
        at += m
    ints = lambda v: torch.tensor(v, dtype=torch.int32, device=device)
    c = dict(contexts=contexts, kv_heads=kv_heads, group=group, dim=dim, block=block, window=window, heads=heads)
    c["qkv"] = torch.randn(n, (heads + 2 * kv_heads) * dim, device=device).bfloat16()
    c["k"] = torch.randn(sum(counts) + 1, kv_heads, block, dim, device=device, dtype=torch.bfloat16)
    c["v"] = torch.randn_like(c["k"])
    tiles = [(x + 63) // 64 - (max(0, x - window) if window else 0) // 64 for x in contexts]
    c["arrays"] = [table.to(device), ints(list(range(n + 1))), ints(contexts), ints(list(range(n))), ints([0] + torch.tensor(tiles).cumsum(0).tolist()), ints([n])]
    c["stride"], c["grid"] = ints([table.shape[1]]), MULTIPROCESSORS * 2
    c["parts"] = torch.full((c["grid"] * 2 * (-(-group * (dim + 2) // 4) * 4),), float("nan"), device=device)
    c["arrivals"] = torch.zeros(n * kv_heads, dtype=torch.int32, device=device)
    c["out"] = torch.full((n, heads * dim), float("nan"), device=device, dtype=torch.bfloat16)
    return c


def run(c, **variant):
    dim, group = c["dim"], c["group"]
    k = kernel("attention_decode.cu", "attention_decode", HEAD_DIM=dim, GROUP=group, BLOCK_SIZE=c["block"], **variant)
    k((c["grid"],), 128, (c["out"], c["qkv"], c["k"], c["v"], *c["arrays"], c["parts"], c["arrivals"], c["stride"], c["kv_heads"], c["window"], 1.4426950408889634 / math.sqrt(dim), 0),
      4 * stages_of(dim) * 2 * 16 * (dim + 8) * 2 + 4 * group * (dim + 2) * 4)


def reference(c):
    out, dim = torch.empty(len(c["contexts"]), c["heads"] * c["dim"], device=device), c["dim"]
    for i, context in enumerate(c["contexts"]):
        ids = c["arrays"][0][i, :-(-context // c["block"])].long()
        k, v = (c[x][ids].permute(1, 0, 2, 3).reshape(c["kv_heads"], -1, dim)[:, :context].double() for x in "kv")
        if c["window"]:
            k, v = k[:, -c["window"]:], v[:, -c["window"]:]
        q = c["qkv"][i, :c["heads"] * dim].reshape(c["kv_heads"], c["group"], dim).double()
        out[i] = (torch.einsum("hgd,hkd->hgk", q, k) / math.sqrt(dim)).softmax(-1).matmul(v).reshape(-1).float()
    return out


for dim, kv, group, block in ((128, 8, 4, 64), (128, 2, 8, 16), (128, 4, 5, 64), (64, 4, 8, 32), (96, 2, 1, 16), (256, 2, 2, 64), (32, 2, 3, 16), (16, 2, 2, 16), (128, 1, 16, 64)):
    for window in (0, 100):
        for contexts in ([int(x) for x in torch.randint(1, 900, (19,))], [1], [5000], [64, 65, 63, 128, 1], [int(x) for x in torch.randint(1, 24000 // kv, (90,))]):
            c = make(contexts, kv, group, dim, block, window)
            synchronize()
            for _ in range(3):
                run(c)
            synchronize()
            ref = reference(c)
            e = ((c["out"].float() - ref).norm() / ref.norm()).item()
            check(f"dim {dim} kv {kv} group {group} block {block} window {window}, {len(contexts)} sequences", e < 5e-3 and int(c["arrivals"].abs().sum()) == 0, f"{e:.1e}")
if "--time" in sys.argv and not failed:
    compile_as_shipped()
    for n, context, copies in ((1, 1088, 32), (2, 1088, 32), (4, 1088, 32), (8, 1088, 32), (16, 1088, 16), (32, 1088, 8), (64, 1088, 8), (128, 1088, 4), (256, 1088, 4), (512, 1088, 2), (256, 4096, 2), (1, 32768, 16)):
        cases = [make([context] * n, 8, 4, 128, 64) for _ in range(copies)]
        gb = n * context * 8 * 128 * 4 / 1e9
        synchronize()
        t = graph_us(lambda: [run(c) for c in cases], per=copies)
        print(f"{n:4} x {context:<6} {t:7.1f} us {gb / t * 1e3:.2f} TB/s", flush=True)
        del cases
finish()
