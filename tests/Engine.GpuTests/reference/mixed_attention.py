"""Checks attention of a step with prompts and decoding sequences side by side, each on a part of the card, and with --time measures how to divide it.

Needs a Hopper card with PyTorch. Run from anywhere (under half a minute):
    python3 tests/Engine.GpuTests/reference/mixed_attention.py [--time]
"""
import sys

import torch

import decode
import prompt
from launching import *

torch.manual_seed(11)


def side_by_side(p, d, decoding, window=0, **variant):
    """Prompts first: their CTAs fill whole multiprocessors, so that the decoding ones go, two each, where they leave room."""
    prompt.run(p, window, grid=MULTIPROCESSORS - decoding, **variant)
    decode.run(d, overlap=2, grid=2 * decoding)


def after_each_other(p, d, window=0, **variant):
    decode.run(d)
    prompt.run(p, window, **variant)


def main():
    if ARCHITECTURE != "sm_90a":
        print("needs a Hopper card")
        return
    for dim, kv, group in ((128, 8, 4), (64, 4, 8), (128, 8, 5)):
        for decoding in (1, 40, 100, MULTIPROCESSORS - 1):
            contexts = torch.randint(1, 900, (9,)).tolist()
            p = prompt.make(contexts, [min(c, int(torch.randint(2, 300, ()))) for c in contexts], kv, group, dim, 64)
            d = decode.make([int(x) for x in torch.randint(1, 3000, (67,))], kv, group, dim, 64)
            expected, decoded = prompt.reference(p, 0), decode.reference(d)
            synchronize()
            for _ in range(3):
                side_by_side(p, d, decoding)
            synchronize()
            e, f = (((c["out"].float() - r).norm() / r.norm()).item() for c, r in ((p, expected), (d, decoded)))
            check(f"side by side, dim {dim} kv {kv} group {group}, {decoding} multiprocessors decode", e < 5e-3 and f < 5e-3 and int(d["arrivals"].abs().sum()) == 0, f"{e:.1e} {f:.1e}")
    if "--time" not in sys.argv or failed:
        return
    compile_as_shipped()
    grids = [g for g in (16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112) if g < MULTIPROCESSORS]
    for kv, group in ((8, 4), (8, 5)):
        for decoding, prompts in ((32, 8), (64, 8), (128, 8), (256, 8), (448, 7)):
            ps = [prompt.make([1024] * prompts, [1024] * prompts, kv, group, 128, 64) for _ in range(2)]
            ds = [decode.make([1088] * decoding, kv, group, 128, 64) for _ in range(2)]
            synchronize()
            alone = graph_us(lambda: [prompt.run(p, 0) for p in ps], per=2), graph_us(lambda: [decode.run(d) for d in ds], per=2)
            both = graph_us(lambda: [after_each_other(p, d) for p, d in zip(ps, ds)], per=2)
            beside = [graph_us(lambda: [side_by_side(p, d, g) for p, d in zip(ps, ds)], per=2) for g in grids]
            print(f"group {group}: {prompts} x 1024 beside {decoding} x 1088: alone {alone[0]:.0f} and {alone[1]:.0f}, after each other {both:.0f}; multiprocessors that decode: "
                  + ", ".join(f"{g}: {t:.0f}" for g, t in zip(grids, beside)), flush=True)
            only = [graph_us(lambda: [decode.run(d, grid=2 * g) for d in ds], per=2) for g in grids]
            print("    decoding alone on so many CTAs / 2 (spread over the card): " + ", ".join(f"{g}: {t:.0f}" for g, t in zip(grids, only)), flush=True)


main()
finish()
