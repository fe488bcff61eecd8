"""Checks the kernels of latent attention against PyTorch in float64; --time adds timings.

Needs a CUDA machine with PyTorch. Run from anywhere (under a minute):
    python3 tests/Engine.GpuTests/reference/latent_check.py [--time]
"""
import math
import sys

import torch

from launching import *

torch.manual_seed(19)
LOG2E = 1.4426950408889634


def ints(values):
    return torch.tensor(values, dtype=torch.int32, device=device)


def rel(got, want):
    return ((got.double() - want).norm() / want.norm()).item()


class Case:
    def __init__(self, heads, content, rope, latent, block, contexts, queries, interleaved=1, stages=2):
        self.heads, self.content, self.rope, self.latent, self.block, self.contexts, self.queries = heads, content, rope, latent, block, contexts, queries
        self.interleaved, self.stages, self.cached = interleaved, stages, (latent + rope + 15) // 16 * 16
        self.defines = dict(HEADS=heads, CONTENT=content, ROPE=rope, LATENT=latent, BLOCK_SIZE=block, INTERLEAVED=interleaved, STAGES=stages)
        self.tokens = sum(queries)
        counts = [-(-n // block) for n in contexts]
        order, at = torch.randperm(sum(counts)), 0
        table = torch.zeros(len(contexts), max(counts), dtype=torch.int32)
        for i, n in enumerate(counts):
            table[i, :n] = order[at:at + n]
            at += n
        self.table, self.stride = table.to(device), ints([table.shape[1]])
        self.positions = ints([p for n, c in zip(queries, contexts) for p in range(c - n, c)])
        self.sequences = ints([i for i, n in enumerate(queries) for _ in range(n)])
        self.cache = torch.full((sum(counts), block, self.cached), float("nan"), device=device, dtype=torch.bfloat16)
        for i, n in enumerate(contexts):            # what lies past a context must not matter
            rows = torch.randn(n, self.cached, device=device)
            rows[:, latent + rope:] = 0
            for first in range(0, n, block):
                self.cache[table[i, first // block].item(), :min(block, n - first)] = rows[first:first + block].bfloat16()
        self.query = torch.randn(self.tokens, heads * (content + rope), device=device).bfloat16()
        self.projected = torch.randn(self.tokens, heads, latent, device=device).bfloat16()

    def attend(self, projected, parts):
        rows = 16 if self.heads <= 16 else 32
        groups = -(-self.heads // rows)
        unfinished = torch.full((self.tokens * self.heads * parts * (self.latent + 2),), float("nan"), device=device) if parts > 1 else None
        shared = (rows + self.stages * 32) * (self.cached + 8) * 2 + rows * 40 * 2 + rows * 38 * 4
        synchronize()

        def launch():
            kernel("attention_latent.cu", "attention_latent", **self.defines)((self.tokens * groups, parts), 256, (
                projected, self.query, self.cache, self.table, self.stride, self.positions, self.sequences, unfinished, LOG2E / math.sqrt(self.content + self.rope)), shared)
            if parts > 1:
                kernel("attention_latent.cu", "merge_latent", **self.defines)((self.tokens * self.heads,), 128, (projected, unfinished, self.sequences, parts))
        return launch

    def expected(self):
        out, at = torch.empty(self.tokens, self.heads, self.latent, device=device, dtype=torch.float64), 0
        q = torch.cat([self.projected, self.query.reshape(self.tokens, self.heads, -1)[..., self.content:]], -1).double()
        for i, (n, context) in enumerate(zip(self.queries, self.contexts)):
            rows = self.cache[self.table[i, :-(-context // self.block)].long()].reshape(-1, self.cached)[:context].double()
            s = torch.einsum("qhd,kd->hqk", q[at:at + n], rows[:, :self.latent + self.rope]) / math.sqrt(self.content + self.rope)
            hidden = torch.arange(context, device=device)[None] > torch.arange(context - n, context, device=device)[:, None]
            out[at:at + n] = torch.einsum("hqk,kd->qhd", s.masked_fill(hidden, float("-inf")).softmax(-1), rows[:, :self.latent])
            at += n
        return out


def attention():
    for shape in ((4, 16, 8, 32, 16), (16, 128, 64, 512, 64), (128, 128, 64, 512, 64), (40, 64, 32, 256, 32), (3, 8, 16, 8, 128), (20, 16, 8, 72, 16)):
        contexts = torch.randint(1, 500, (9,)).tolist() + [1, 32, 33]
        for decode in (True, False):
            queries = [1] * len(contexts) if decode else [min(n, int(torch.randint(1, 40, ()))) for n in contexts]
            for stages in (1, 2):
                c = Case(*shape, contexts, queries, stages=stages)
                expected = c.expected()
                for parts in (1, 2, 7, 32) if decode else (1, 3):
                    projected = c.projected.clone()
                    c.attend(projected, parts)()
                    synchronize()
                    e = rel(projected, expected)
                    check(f"latent heads {shape[0]} latent {shape[3]} rope {shape[2]} {'decode' if decode else 'prompt'} stages {stages} parts {parts}", e < 5e-3, f"{e:.1e}")


def store():
    for heads, content, rope, latent, block in ((4, 16, 8, 32, 16), (128, 128, 64, 512, 64), (3, 8, 16, 72, 32)):
        for interleaved in (0, 1):
            c = Case(heads, content, rope, latent, block, [400], [77], interleaved)
            c.cache.fill_(float("nan"))
            slots = torch.randperm(c.cache.shape[0] * block)[:77].int().to(device)
            x = torch.randn(77, latent + rope, device=device).bfloat16()
            norm = torch.rand(latent, device=device).bfloat16()
            angle = torch.arange(512, device=device).double()[:, None] / (10000 ** (torch.arange(0, rope, 2, device=device).double() / rope))
            table = torch.stack([angle.cos(), angle.sin()], -1).float().contiguous()
            cos, sin = angle.cos()[c.positions.long()], angle.sin()[c.positions.long()]

            def turn(part, cos, sin):
                a, b = (part[..., 0::2], part[..., 1::2]) if interleaved else (part[..., :rope // 2], part[..., rope // 2:])
                first, second = a * cos - b * sin, b * cos + a * sin
                return torch.stack([first, second], -1).flatten(-2) if interleaved else torch.cat([first, second], -1)
            d, q = x.double(), c.query.double().reshape(77, heads, -1)
            row = torch.cat([d[:, :latent] / (d[:, :latent].pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * norm.double(), turn(d[:, latent:], cos, sin)], -1)
            q = torch.cat([q[..., :content], turn(q[..., content:], cos[:, None], sin[:, None])], -1)
            synchronize()
            kernel("attention_latent.cu", "store_latent", **c.defines)((77,), 256, (c.query, x, c.cache, norm, table, c.positions, slots, 1e-6))
            synchronize()
            got = c.cache.reshape(-1, c.cached)[slots.long()]
            untouched = torch.isnan(c.cache.float()).sum().item() == (c.cache.shape[0] * block - 77) * c.cached
            errors = rel(got[:, :latent + rope], row), rel(c.query.reshape(77, heads, -1), q)
            check(f"store_latent heads {heads} latent {latent} rope {rope} interleaved {interleaved}", max(errors) < 4e-3 and untouched and not got[:, latent + rope:].any(), f"{errors[0]:.1e} {errors[1]:.1e}")


def timing():
    compile_as_shipped()
    for tokens, context in ((1, 4096), (8, 4096), (32, 4096), (128, 1024)):
        c = Case(128, 128, 64, 512, 64, [context] * tokens, [1] * tokens)
        for parts in sorted({1, 2, 8, 32, max(1, min(32, 2 * MULTIPROCESSORS // (tokens * 4)))}):
            t = graph_us(c.attend(c.projected.clone(), parts))
            print(f"DeepSeek-V3 decode {tokens:4} x {context} parts {parts:2}: {t:8.1f} us {tokens * context * 1152 / t / 1e6:6.2f} TB/s of vectors, {tokens * context * 128 * 2 * 1088 / t / 1e6:6.1f} TFLOP/s", flush=True)
    c = Case(128, 128, 64, 512, 64, [2048], [2048])
    t = graph_us(c.attend(c.projected.clone(), 1))
    print(f"DeepSeek-V3 prompt 2048: {t:.1f} us {2048 * 1024 * 128 * 2 * 1088 / t / 1e6:.1f} TFLOP/s", flush=True)


store()
attention()
if "--time" in sys.argv and not failed:
    timing()
finish()
