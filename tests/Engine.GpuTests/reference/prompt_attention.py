"""Checks Hopper's prompt attention against PyTorch in float64, both orders of its pipeline, and with --time measures them.

Needs a Hopper card with PyTorch. Run from anywhere (under half a minute):
    python3 tests/Engine.GpuTests/reference/prompt_attention.py [--time]
"""
import math
import sys

import torch

from launching import *

torch.manual_seed(9)
VARIANTS = {"one tile after the other": dict(ACROSS_TILES=0), "across tiles": dict()}


def make(contexts, queries, kv_heads, group, dim, block):
    heads, tokens = kv_heads * group, sum(queries)
    counts = [-(-c // block) for c in contexts]
    order = torch.randperm(sum(counts)) + 1
    table = torch.zeros(len(contexts), max(counts), dtype=torch.int32)
    at = 0
    for i, n in enumerate(counts):
        table[i, :n] = order[at:at + n]
        at += n
    c = dict(heads=heads, kv_heads=kv_heads, group=group, dim=dim, block=block, queries=queries, contexts=contexts, tokens=tokens)
    c["qkv"] = torch.randn(tokens, (heads + 2 * kv_heads) * dim, device=device).bfloat16()
    c["k"] = torch.randn(sum(counts) + 1, kv_heads, block, dim, device=device, dtype=torch.bfloat16)
    c["v"] = torch.randn_like(c["k"])
    for i, context in enumerate(contexts):
        if context % block:                      # what lies past a context must not matter
            c["v"][table[i, context // block].long(), :, context % block:] = float("nan")
    ints = lambda v: torch.tensor(v, dtype=torch.int32, device=device)
    work = sorted(((contexts[i] - n + q, i, q) for i, n in enumerate(queries) for q in range(0, n, 128)), reverse=True)
    c["arrays"] = [table.to(device), ints([0] + torch.tensor(queries).cumsum(0).tolist()), ints(contexts), ints([w[1] for w in work]), ints([w[2] for w in work])]
    c["work"], c["stride"] = len(work) * heads, ints([table.shape[1]])
    blocks, c["cached"] = c["k"].shape[0], [cached(c["k"]), cached(c["v"])]
    c["maps"] = [map_on_device(c["qkv"], [c["qkv"].shape[1], tokens], [64, 128])] + [map_on_device(t, [dim, block, kv_heads, blocks], [64, block, 1, 1], swizzles=False) for t in c["cached"]]
    c["out"] = torch.full((tokens, heads * dim), float("nan"), device=device, dtype=torch.bfloat16)
    return c


def run(c, window, **variant):
    dim = c["dim"]
    k = kernel("attention_prompt_hopper.cu", "attention_prompt_hopper", HEAD_DIM=dim, GROUP=c["group"], BLOCK_SIZE=c["block"], **variant)
    table, starts, contexts, sequences, queries = c["arrays"]
    k((min(MULTIPROCESSORS, c["work"]),), 384, (c["out"], *c["maps"], table, starts, contexts, sequences, queries, c["work"], c["stride"], c["k"].shape[0], c["kv_heads"], window,
      1.4426950408889634 / math.sqrt(dim)), 6 * 128 * dim * 2 + 96 + 1024)


def reference(c, window):
    out, at, dim = torch.empty(c["tokens"], c["heads"] * c["dim"], device=device), 0, c["dim"]
    for i, (n, context) in enumerate(zip(c["queries"], c["contexts"])):
        ids = c["arrays"][0][i, :-(-context // c["block"])].long()
        k, v = (c[x][ids].permute(1, 0, 2, 3).reshape(c["kv_heads"], -1, dim)[:, :context].double() for x in "kv")
        q = c["qkv"][at:at + n, :c["heads"] * dim].reshape(n, c["kv_heads"], c["group"], dim).permute(1, 2, 0, 3).double()
        s = torch.einsum("hgqd,hkd->hgqk", q, k) / math.sqrt(dim)
        position, key = torch.arange(context - n, context, device=device)[:, None], torch.arange(context, device=device)[None]
        hidden = key > position
        if window:
            hidden |= key <= position - window
        o = torch.einsum("hgqk,hkd->hgqd", s.masked_fill_(hidden, float("-inf")).softmax(-1), v)
        out[at:at + n] = o.permute(2, 0, 1, 3).reshape(n, -1).float()
        at += n
    return out


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
