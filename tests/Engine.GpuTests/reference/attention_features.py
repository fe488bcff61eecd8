"""Checks soft caps, sinks and padded head dims of all attention kernels, and rope_heads, against PyTorch in float64.

Needs a CUDA machine with PyTorch; Hopper's kernel is checked on Hopper. Run from anywhere (under a minute):
    python3 tests/Engine.GpuTests/reference/attention_features.py
"""
import math

import torch

import decode as decoding
from launching import *

torch.manual_seed(13)
LOG2E = 1.4426950408889634
BLOCK = 16


def ints(values):
    return torch.tensor(values, dtype=torch.int32, device=device)


def make(contexts, queries, kv, group, dim):
    c = dict(contexts=contexts, queries=queries, kv=kv, group=group, dim=dim, heads=kv * group, tokens=sum(queries))
    counts = [-(-n // BLOCK) for n in contexts]
    order, at = torch.randperm(sum(counts)) + 1, 0
    table = torch.zeros(len(contexts), max(counts), dtype=torch.int32)
    for i, n in enumerate(counts):
        table[i, :n] = order[at:at + n]
        at += n
    c["table"], c["stride"] = table.to(device), ints([table.shape[1]])
    c["starts"], c["lengths"] = ints([0] + torch.tensor(queries).cumsum(0).tolist()), ints(contexts)
    c["qkv"] = torch.randn(c["tokens"], (c["heads"] + 2 * kv) * dim, device=device).bfloat16()
    c["k"], c["v"] = (torch.randn(sum(counts) + 1, kv, BLOCK, dim, device=device).bfloat16() for _ in range(2))
    c["sinks"] = (torch.randn(c["heads"], device=device) * 2).bfloat16()
    c["out"] = torch.full((c["tokens"], c["heads"] * dim), float("nan"), device=device, dtype=torch.bfloat16)
    return c


def reference(c, window, cap, sinks):
    out, at, dim = torch.empty(c["tokens"], c["heads"] * c["dim"], device=device), 0, c["dim"]
    for i, (n, context) in enumerate(zip(c["queries"], c["contexts"])):
        ids = c["table"][i, :-(-context // BLOCK)].long()
        k, v = (c[x][ids].permute(1, 0, 2, 3).reshape(c["kv"], -1, dim)[:, :context].double() for x in "kv")
        q = c["qkv"][at:at + n, :c["heads"] * dim].reshape(n, c["kv"], c["group"], dim).permute(1, 2, 0, 3).double()
        s = torch.einsum("hgqd,hkd->hgqk", q, k) / math.sqrt(dim)
        if cap:
            s = cap * torch.tanh(s / cap)
        position, key = torch.arange(context - n, context, device=device)[:, None], torch.arange(context, device=device)[None]
        hidden = key > position
        if window:
            hidden |= key <= position - window
        s = s.masked_fill(hidden, float("-inf"))
        if sinks:
            s = torch.cat([s, c["sinks"].double().reshape(c["kv"], c["group"], 1, 1).expand(-1, -1, n, 1)], -1)
        w = s.softmax(-1)[..., :context]
        out[at:at + n] = torch.einsum("hgqk,hkd->hgqd", w, v).permute(2, 0, 1, 3).reshape(n, -1).float()
        at += n
    return out


def extra(c, cap, sinks):
    return (2 * LOG2E / math.sqrt(c["dim"]) / (cap or 1.0), (cap or 0.0) * LOG2E, c["sinks"]) if cap or sinks else ()


def features(cap, sinks):
    return dict(**(dict(SOFT_CAP=1) if cap else {}), **(dict(SINKS=1) if sinks else {}))


def defines(c, cap, sinks):
    return dict(HEAD_DIM=c["dim"], GROUP=c["group"], BLOCK_SIZE=BLOCK, **features(cap, sinks))


def row(dim):
    return (dim + 15) // 16 * 16 + 8


def decode(c, window, cap, sinks, **variant):
    d = dict(contexts=c["contexts"], kv_heads=c["kv"], group=c["group"], dim=c["dim"], block=BLOCK, heads=c["heads"], qkv=c["qkv"], k=c["k"], v=c["v"], out=c["out"])
    decoding.plan(d, c["table"], window)
    synchronize()
    decoding.run(d, extra(c, cap, sinks), **features(cap, sinks), **variant)
    synchronize()


def work_of(c, tile):
    work = sorted(((c["contexts"][i] - n + q, i, q) for i, n in enumerate(c["queries"]) for q in range(0, n, tile)), reverse=True)
    return ints([w[1] for w in work]), ints([w[2] for w in work]), len(work)


def prompt(c, window, cap, sinks, **tiling):
    dim = c["dim"]
    tile, keys = 64 * tiling.get("ROW_TILES", 1 if dim > 128 else 2), tiling.get("KEY_TILE", 64)
    sequences, queries, count = work_of(c, tile)
    keys_of, values_of = cached(c["k"]), cached(c["v"])
    synchronize()
    kernel("attention_prompt.cu", "attention_prompt", **defines(c, cap, sinks), **tiling)((count, c["heads"]), 128, (
        c["out"], c["qkv"], keys_of, values_of, c["table"], c["starts"], c["lengths"], sequences, queries, c["stride"], c["kv"], window, LOG2E / math.sqrt(dim), *extra(c, cap, sinks)),
        (tile + 4 * keys) * row(dim) * 2)
    synchronize()


def hopper(c, window, cap, sinks, **variant):
    dim, blocks = c["dim"], c["k"].shape[0]
    sequences, queries, count = work_of(c, 128)
    both = [cached(c["k"]), cached(c["v"])]
    maps = [map_on_device(c["qkv"], [c["qkv"].shape[1], c["tokens"]], [64, 128])] + [map_on_device(t, [dim, BLOCK, c["kv"], blocks], [64, BLOCK, 1, 1], swizzles=False) for t in both]
    synchronize()
    kernel("attention_prompt_hopper.cu", "attention_prompt_hopper", **defines(c, cap, sinks), **variant)((min(MULTIPROCESSORS, count * c["heads"]),), 384, (
        c["out"], *maps, c["table"], c["starts"], c["lengths"], sequences, queries, count * c["heads"], c["stride"], blocks, c["kv"], window, LOG2E / math.sqrt(dim), *extra(c, cap, sinks)),
        6 * 128 * dim * 2 + 96 + 1024)
    synchronize()


def compare(name, c, expected):
    e = ((c["out"].float() - expected).norm() / expected.norm()).item()
    check(name, e < 5e-3, f"{e:.1e}")
    c["out"].fill_(float("nan"))


def attention():
    for dim, kv, group in ((64, 8, 8), (128, 2, 4), (128, 1, 16), (256, 2, 2), (32, 2, 2), (24, 2, 3), (120, 2, 4)):
        for cap, sinks in ((None, True), (2.0, False), (2.0, True)) if dim not in (24, 120) else ((None, False), (2.0, True)):
            for window in (0, 100):
                what = f"dim {dim} kv {kv} group {group} window {window} cap {cap} sinks {sinks}"
                contexts = torch.randint(1, 900, (17,)).tolist() + [1, 64, 65]
                c = make(contexts, [1] * len(contexts), kv, group, dim)
                expected = reference(c, window, cap, sinks)
                for copies in (0, 1) if dim % 64 == 0 and ARCHITECTURE == "sm_90a" else (0,):
                    decode(c, window, cap, sinks, BULK_COPIES=copies)
                    compare(f"decode, bulk copies {copies}, " + what, c, expected)
                queries = [min(n, int(torch.randint(2, 300, ()))) for n in contexts]
                queries[0] = contexts[0]
                c = make(contexts, queries, kv, group, dim)
                expected = reference(c, window, cap, sinks)
                prompt(c, window, cap, sinks)
                compare("prompt " + what, c, expected)
                prompt(c, window, cap, sinks, ROW_TILES=1, KEY_TILE=32)
                compare("prompt, small tiles, " + what, c, expected)
                if dim in (64, 128) and ARCHITECTURE == "sm_90a":
                    for across in (0, 1):
                        hopper(c, window, cap, sinks, ACROSS_TILES=across)
                        compare(f"prompt (hopper, across tiles {across}) " + what, c, expected)


def rope_heads():
    for dim, heads, kv, rotary, norms, offset, scaled in ((128, 32, 8, 128, True, 0.0, False), (16, 4, 2, 12, False, 0.0, True), (24, 3, 1, 18, True, 1.0, False), (256, 4, 1, 256, True, 1.0, True), (96, 2, 2, 72, False, 0.0, False)):
        tokens, block = 77, 64
        qkv = torch.randn(tokens, (heads + 2 * kv) * dim, device=device).bfloat16()
        x = qkv.double().reshape(tokens, -1, dim)
        k = torch.full((9, kv, block, dim), float("nan"), device=device, dtype=torch.bfloat16)
        v, slots, positions = k.clone(), torch.randperm(9 * block)[:tokens].int().to(device), torch.randint(0, 500, (tokens,), device=device, dtype=torch.int32)
        angle = torch.arange(512, device=device).double()[:, None] / (10000 ** (torch.arange(0, rotary, 2, device=device).double() / rotary))
        table, scales = torch.stack([angle.cos(), angle.sin()], -1).float().contiguous(), torch.rand(512, device=device) + 0.5
        wq, wk = (torch.rand(dim, device=device).bfloat16() for _ in range(2))
        turned = x[:, :heads + kv]
        if norms:
            turned = turned / (turned.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
            turned = torch.cat([turned[:, :heads] * (wq.double() + offset), turned[:, heads:] * (wk.double() + offset)], 1)
        cos, sin = angle.cos()[positions.long()][:, None], angle.sin()[positions.long()][:, None]
        a, b = turned[..., :rotary // 2], turned[..., rotary // 2:rotary]
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin, turned[..., rotary:]], -1)
        q = turned[:, :heads] * (scales[positions.long()].double()[:, None, None] if scaled else 1)
        synchronize()
        kernel("rope_heads.cu", "rope_heads", HEAD_DIM=dim, BLOCK_SIZE=block)((tokens,), 256, (qkv, k, v, table, positions, slots, heads, kv, rotary, wq if norms else None, wk if norms else None, 1e-6, offset,
                                                                             scales if scaled else None, positions, None, 0, 0.0, None))
        synchronize()
        rel = lambda got, want: ((got.double() - want).norm() / want.norm()).item()
        rows = lambda t: cached(t).permute(0, 2, 1, 3).reshape(-1, kv, dim)[slots.long()]
        untouched = torch.isnan(k.float()).sum().item() == (9 * block - tokens) * kv * dim
        errors = rel(qkv.reshape(tokens, -1, dim)[:, :heads], q), rel(rows(k), turned[:, heads:])
        check(f"rope_heads dim {dim} rotary {rotary} norms {norms} offset {offset} scaled {scaled}", max(errors) < 4e-3 and torch.equal(rows(v).double(), x[:, heads + kv:]) and untouched, f"{max(errors):.1e}")


rope_heads()
attention()
finish()
