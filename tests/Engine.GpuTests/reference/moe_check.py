"""Checks routing and products of mixtures of experts against PyTorch in float64; --time adds timings.

Needs a CUDA machine with PyTorch. Run from anywhere (under a minute):
    python3 tests/Engine.GpuTests/reference/moe_check.py [--time]
"""
import sys

import torch

from launching import *

torch.manual_seed(17)
SOFTMAX, SIGMOID, SOFTMAX_OF_CHOSEN = range(3)


def ints(n):
    return torch.full((n,), -7, dtype=torch.int32, device=device)


def addresses(tensors):
    return torch.tensor([t.data_ptr() for t in tensors], dtype=torch.int64, device=device)


def choose(logits, k, scoring, groups=1, chosen_groups=1, best_two=0, normalize=0, scale=1.0, bias=None, live=None):
    tokens, experts = logits.shape
    chosen, weights = ints(tokens * k), torch.full((tokens * k,), float("nan"), device=device)
    synchronize()
    kernel("moe_route.cu", "choose_experts")((tokens,), 32, (chosen, weights, logits, None, bias, live, 0, experts, k, scoring, groups, chosen_groups, best_two, normalize, scale), (2 * experts + groups + 2 * k) * 4)
    synchronize()
    return chosen.reshape(tokens, k), weights.reshape(tokens, k)


def expected_choice(logits, k, scoring, groups=1, chosen_groups=1, best_two=0, normalize=0, scale=1.0, bias=None):
    scores = logits.softmax(-1) if scoring == SOFTMAX else logits.sigmoid() if scoring == SIGMOID else logits
    choice = scores + bias if bias is not None else scores.clone()
    if chosen_groups < groups:
        by_group = choice.reshape(len(logits), groups, -1)
        value = by_group.topk(2, -1)[0].sum(-1) if best_two else by_group.max(-1)[0]
        keep = torch.zeros_like(value, dtype=torch.bool).scatter_(1, value.topk(chosen_groups, -1)[1], True)
        choice = choice.masked_fill(~keep[..., None].expand_as(by_group).reshape_as(choice), float("-inf"))
    chosen = choice.topk(k, -1)[1].sort(-1)[0]
    weights = scores.gather(1, chosen).double()
    if scoring == SOFTMAX_OF_CHOSEN:
        weights = weights.softmax(-1)
    if normalize:
        weights = weights / weights.sum(-1, keepdim=True)
    return chosen, weights * scale


def routing():
    for name, experts, k, options in (
            ("Mixtral", 8, 2, dict(scoring=SOFTMAX, normalize=1)), ("Qwen3", 128, 8, dict(scoring=SOFTMAX, normalize=1)), ("gpt-oss", 32, 4, dict(scoring=SOFTMAX_OF_CHOSEN)),
            ("DeepSeek-V2", 160, 6, dict(scoring=SOFTMAX, groups=8, chosen_groups=3, scale=16.0)), ("DeepSeek-V3", 256, 8, dict(scoring=SIGMOID, groups=8, chosen_groups=4, best_two=1, normalize=1, scale=2.5)),
            ("one", 1, 1, dict(scoring=SOFTMAX)), ("4096", 4096, 40, dict(scoring=SOFTMAX))):
        logits = torch.randn(333, experts, device=device) * 2
        if name == "DeepSeek-V3":
            options["bias"] = torch.randn(experts, device=device) * 0.1
        chosen, weights = choose(logits, k, **options)
        e_chosen, e_weights = expected_choice(logits, k, **options)
        # float32 and float64 may rank what is equal to seven digits differently.
        same = (chosen == e_chosen).all(-1)
        error = ((weights.double() - e_weights)[same].abs().max() / e_weights.abs().max()).item()
        check(f"choice {name}", same.float().mean().item() > 0.99 and error < 1e-5, f"{same.float().mean().item():.4f} alike, weights {error:.1e}")
    logits = torch.zeros(4, 64, device=device)
    logits[1, 5:9], logits[2, :], logits[3, 60] = float("nan"), float("-inf"), 1.0
    chosen, _ = choose(logits, 4, scoring=SOFTMAX_OF_CHOSEN, live=torch.tensor([3], dtype=torch.int32, device=device))
    check("equal, NaN and infinite logits, padding", chosen.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [-1] * 4], str(chosen.tolist()))


def gated(kind, gate, up, alpha, limit):
    if kind == "CLAMPED":
        g = gate.clamp(max=limit)
        return (up.clamp(-limit, limit) + 1) * g * torch.sigmoid(alpha * g)
    return {"SILU": torch.nn.functional.silu, "GELU": torch.nn.functional.gelu, "GELU_TANH": lambda x: torch.nn.functional.gelu(x, approximate="tanh"), "RELU": torch.relu}[kind](gate) * up


class Layer:
    def __init__(self, tokens, hidden, inner, experts, k, biased=False, activation="SILU"):
        self.tokens, self.hidden, self.inner, self.experts, self.k, self.activation = tokens, hidden, inner, experts, k, activation
        self.x = torch.randn(tokens, hidden, device=device).bfloat16()
        self.up = [(torch.randn(2 * inner, hidden, device=device) / hidden ** 0.5).bfloat16() for _ in range(experts)]
        self.down = [(torch.randn(hidden, inner, device=device) / inner ** 0.5).bfloat16() for _ in range(experts)]
        self.biases = [[torch.randn(n, device=device).bfloat16() for _ in range(experts)] for n in (2 * inner, hidden)] if biased else None
        self.chosen = torch.stack([torch.randperm(experts, device=device)[:k].sort()[0] for _ in range(tokens)]).int().contiguous()
        self.weights = torch.rand(tokens, k, device=device)
        pairs = tokens * k
        self.rows, self.row_tokens, self.starts = ints(pairs), ints(pairs), ints(experts + 1)
        self.tile_experts, self.tile_rows, self.tile_count = ints(pairs // 16 + experts + 1), ints(pairs // 16 + experts + 1), ints(1)
        self.activated = torch.full((pairs, inner), float("nan"), device=device, dtype=torch.bfloat16)
        self.results = torch.full((pairs, hidden), float("nan"), device=device, dtype=torch.bfloat16)
        self.out = torch.full((tokens, hidden), float("nan"), device=device, dtype=torch.bfloat16)
        self.shared = torch.randn(tokens, hidden, device=device).bfloat16()
        self.at = [addresses(self.up), addresses(self.down)] + ([addresses(b) for b in self.biases] if biased else [None, None])

    def run(self, tile, products_only=False):
        pairs, outputs, depth = self.tokens * self.k, 64 if tile == 16 else 128, 64 if tile == 16 else 32
        shared = 4 * (tile + outputs) * (depth + 8) * 2
        tiles = pairs // tile + min(pairs, self.experts)
        if not products_only:
            kernel("moe_route.cu", "sort_by_expert")((1,), 1024, (self.rows, self.row_tokens, self.starts, self.tile_experts, self.tile_rows, self.tile_count, self.chosen, pairs, self.k, self.experts, tile), self.experts * 4)
        kernel("matmul_grouped.cu", "matmul_grouped", TOKEN_TILE=tile, GATED=1, ACTIVATION=self.activation)((-(-2 * self.inner // outputs), tiles), 128, (
            self.activated, self.x, self.at[0], self.at[2], self.inner, self.hidden, self.inner, self.hidden, self.tile_experts, self.tile_rows, self.starts, self.tile_count, self.row_tokens, 1.702, 1.5), shared)
        kernel("matmul_grouped.cu", "matmul_grouped", TOKEN_TILE=tile)((-(-self.hidden // outputs), tiles), 128, (
            self.results, self.activated, self.at[1], self.at[3], self.hidden, self.inner, self.hidden, self.inner, self.tile_experts, self.tile_rows, self.starts, self.tile_count, None, 0.0, 0.0), shared)
        if not products_only:
            kernel("moe_route.cu", "combine_experts")((self.tokens, -(-self.hidden // 2048)), 256, (self.out, self.results, self.shared, self.rows, self.weights, self.k, self.hidden))

    def expected(self):
        out = self.shared.double()
        for e in range(self.experts):
            token, place = (self.chosen == e).nonzero(as_tuple=True)
            if len(token):
                y = self.x[token].double() @ self.up[e].double().T + (self.biases[0][e].double() if self.biases else 0)
                y = gated(self.activation, y[:, :self.inner], y[:, self.inner:], 1.702, 1.5) @ self.down[e].double().T + (self.biases[1][e].double() if self.biases else 0)
                out.index_add_(0, token, y * self.weights[token, place].double()[:, None])
        return out


def products():
    for tokens, hidden, inner, experts, k, biased, activation in ((1, 64, 48, 8, 2, False, "SILU"), (7, 264, 200, 16, 4, True, "CLAMPED"), (300, 256, 136, 8, 2, False, "SILU"), (777, 512, 320, 60, 6, True, "GELU"),
                                                                  (1500, 128, 64, 4, 3, False, "GELU_TANH"), (40, 2880, 72, 32, 4, True, "RELU"), (64, 4096, 1536, 128, 8, False, "SILU")):
        layer = Layer(tokens, hidden, inner, experts, k, biased, activation)
        expected = layer.expected()
        for tile in (16, 64, 128):
            layer.out.fill_(float("nan"))
            synchronize()
            layer.run(tile)
            synchronize()
            e = ((layer.out.double() - expected).norm() / expected.norm()).item()
            check(f"experts {tokens} x {hidden} x {inner}, {k} of {experts}, {activation}, tile {tile}", e < 6e-3, f"{e:.1e}")
    # Heads: each its own matrix, all rows, steps along the columns.
    for rows, heads, inputs, outputs, step in ((1, 4, 16, 32, 24), (70, 16, 128, 512, 192), (300, 128, 512, 128, 512)):
        x = torch.randn(rows, heads * step, device=device).bfloat16()
        w = [(torch.randn(outputs, inputs, device=device) / inputs ** 0.5).bfloat16() for _ in range(heads)]
        expected = torch.einsum("rhi,hoi->rho", x.double().reshape(rows, heads, step)[..., :inputs], torch.stack(w).double())
        for tile in (16, 64, 128):
            out, tiles, n, depth = torch.full((rows, heads, outputs), float("nan"), device=device, dtype=torch.bfloat16), -(-rows // tile), 64 if tile == 16 else 128, 64 if tile == 16 else 32
            at = addresses(w)
            synchronize()
            kernel("matmul_grouped.cu", "matmul_grouped", TOKEN_TILE=tile, HEADS=1)((-(-outputs // n), heads * tiles), 128, (out, x, at, None, outputs, inputs, heads * outputs, heads * step, rows, outputs, step), 4 * (tile + n) * (depth + 8) * 2)
            synchronize()
            e = ((out.double() - expected).norm() / expected.norm()).item()
            check(f"heads {heads}, {rows} x {inputs} x {outputs}, tile {tile}", e < 4e-3, f"{e:.1e}")


def timing():
    compile_as_shipped()
    for name, hidden, inner, experts, k in (("Qwen3-30B-A3B", 2048, 768, 128, 8), ("Mixtral-8x7B", 4096, 14336, 8, 2)):
        for tokens in (1, 8, 32, 128, 1024, 8192):
            layer = Layer(tokens, hidden, inner, experts, k)
            rows = tokens * k / experts
            used = len(layer.chosen.unique())
            for tile in (16, 64, 128):
                layer.run(tile)
                whole = graph_us(lambda: layer.run(tile))
                t = graph_us(lambda: layer.run(tile, products_only=True))
                chosen = "*" if tile == (16 if rows <= 16 else 64 if rows <= 96 else 128) else " "
                print(f"{name} {tokens:5} tokens tile {tile:3}{chosen} products {t:8.1f} us, {used * 3 * hidden * inner * 2 / t / 1e6:6.2f} TB/s of weights, {tokens * k * 6 * hidden * inner / t / 1e6:6.1f} TFLOP/s; all {whole:8.1f} us", flush=True)
            del layer


routing()
products()
if "--time" in sys.argv and not failed:
    timing()
finish()
