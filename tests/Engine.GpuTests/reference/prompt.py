"""Batches, launches and float64 reference of Hopper's prompt attention, for the scripts that check and time it."""
import math

import torch

from launching import *


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
    blocks = c["k"].shape[0]
    c["maps"] = [map_on_device(c["qkv"], [c["qkv"].shape[1], tokens], [64, 128])] + [map_on_device(t, [dim, block, kv_heads, blocks], [64, block, 1, 1]) for t in (c["k"], c["v"])]
    c["out"] = torch.full((tokens, heads * dim), float("nan"), device=device, dtype=torch.bfloat16)
    return c


def run(c, window, grid=MULTIPROCESSORS, **variant):
    dim = c["dim"]
    k = kernel("attention_prompt_hopper.cu", "attention_prompt_hopper", HEAD_DIM=dim, GROUP=c["group"], BLOCK_SIZE=c["block"], **variant)
    table, starts, contexts, sequences, queries = c["arrays"]
    k((min(grid, c["work"]),), 384, (c["out"], *c["maps"], table, starts, contexts, sequences, queries, c["work"], c["stride"], c["k"].shape[0], c["kv_heads"], window,
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
