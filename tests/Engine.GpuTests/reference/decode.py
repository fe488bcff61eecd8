"""Decode attention's batches, launches and float64 reference, for the scripts that check and time it."""
import math

import torch

from launching import *


def stages_of(dim):
    return 2 if dim > 128 else 3 if dim > 96 else 4


def grid_of(items):
    """CudaAttention.DecodeGrid: shares that end where heads do, if that costs few CTAs."""
    most = MULTIPROCESSORS * 2
    return next((g for g in range(most, most - most // 16, -1) if items % g == 0 or g % items == 0), most)


def make(contexts, kv_heads, group, dim, block, window=0):
    heads, n = kv_heads * group, len(contexts)
    counts = [-(-c // block) for c in contexts]
    order = torch.randperm(sum(counts)) + 1
    table, at = torch.zeros(n, max(counts), dtype=torch.int32), 0
    for i, m in enumerate(counts):
        table[i, :m] = order[at:at + m]
        at += m
    c = dict(contexts=contexts, kv_heads=kv_heads, group=group, dim=dim, block=block, heads=heads)
    c["qkv"] = torch.randn(n, (heads + 2 * kv_heads) * dim, device=device).bfloat16()
    c["k"] = torch.randn(sum(counts) + 1, kv_heads, block, dim, device=device, dtype=torch.bfloat16)
    c["v"] = torch.randn_like(c["k"])
    c["out"] = torch.full((n, heads * dim), float("nan"), device=device, dtype=torch.bfloat16)
    return plan(c, table, window)


def plan(c, table, window, grid=None):
    """Adds to a batch what the kernels are given besides: the step's integers, and room for parts of results. table: blocks of the sequences; grid: CTAs, as the engine has by default."""
    contexts, kv_heads, group, n = c["contexts"], c["kv_heads"], c["group"], len(c["contexts"])
    ints = lambda v: torch.tensor(v, dtype=torch.int32, device=device)
    tiles = [(x + 63) // 64 - (max(0, x - window) if window else 0) // 64 for x in contexts]
    c["arrays"] = [table.to(device), ints(list(range(n + 1))), ints(contexts), ints(list(range(n))), ints([0] + torch.tensor(tiles).cumsum(0).tolist()), ints([n])]
    c["window"], c["stride"], c["grid"] = window, ints([table.shape[1]]), grid or grid_of(n * kv_heads)
    c["parts"] = torch.full((c["grid"] * 2 * (-(-group * (c["dim"] + 2) // 4) * 4),), float("nan"), device=device)
    c["arrivals"] = torch.zeros(n * kv_heads, dtype=torch.int32, device=device)
    c["starts"] = None
    return c


def start(c, **variant):
    """Where each CTA begins: once for all layers of a step."""
    table, _, contexts, sequences, tiles, count = c["arrays"]
    if c["starts"] is None:
        c["starts"] = torch.full((c["grid"] * 16,), -1, dtype=torch.int32, device=device)
    _kernel_of(c, "attention_decode_starts", variant)((c["grid"],), 32, (c["starts"], table, contexts, sequences, tiles, count, c["stride"], c["kv_heads"], c["window"]))


def _kernel_of(c, name, variant):
    return kernel("attention_decode.cu", name, HEAD_DIM=c["dim"], GROUP=c["group"], BLOCK_SIZE=c["block"], **{"STAGES": stages_of(c["dim"]), **variant})


def run(c, features=(), **variant):
    """features: the arguments of soft caps and sinks, which a variant compiles."""
    dim, group, copies = c["dim"], c["group"], variant.get("BULK_COPIES", 0)
    if c["starts"] is None:
        start(c, **variant)
    if "cached" not in c:
        c["cached"] = [cached(c[x]) for x in "kv"]
        synchronize()
    table, starts, contexts, sequences, tiles, _ = c["arrays"]
    stage = 2 * 16 * (dim if copies else (dim + 15) // 16 * 16 + 8) * 2
    _kernel_of(c, "attention_decode", variant)((c["grid"],), 128, (c["out"], c["qkv"], *c["cached"], table, starts, contexts, sequences, tiles, c["starts"],
        c["parts"], c["arrivals"], c["kv_heads"], c["window"], 1.4426950408889634 / math.sqrt(dim), 0, *features), 4 * variant.get("STAGES", stages_of(dim)) * stage + 4 * group * (dim + 2) * 4 + (128 if copies else 0))


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
