"""Checks the products for few rows against PyTorch and, with --time, measures them alone and as a chain of decode layers.

Needs a CUDA machine with PyTorch. Run from anywhere (under a minute):
    python3 tests/Engine.GpuTests/reference/small_batch.py [--time] [vector] [stream] [stationary] [skinny]
Names choose kernels; without one, all are run.
"""
import sys
import time

import torch

import decode
from launching import *

torch.manual_seed(5)
torch.backends.cuda.matmul.allow_tf32 = False
bf16 = torch.bfloat16
HEADS, KV_HEADS, DIM, BLOCK = 32, 8, 128, 64
HOPPER = ARCHITECTURE == "sm_90a"
stream_parts = torch.full((MULTIPROCESSORS * 4 * 128 * 32,), float("nan"), device=device)
stream_arrivals = torch.zeros(16384, device=device, dtype=torch.int32)
ONLY = {a for a in sys.argv[1:] if not a.startswith("-")}


def chosen(name):
    return not ONLY or name.split(",")[0] in ONLY


def stream_product(out, x, w, bias=None, **defines):
    rows, (outputs, inputs) = x.shape[0], w.shape
    units = -(-outputs // 128) * -(-inputs // 64)
    tiles = 1 if rows <= 8 else 2 if rows <= 16 else 4
    n = defines.pop("STAGES", 4)
    kernel("matmul_stream.cu", "matmul_stream", TOKEN_TILES=tiles, STAGES=n, **defines)((min(units, MULTIPROCESSORS),), 256,
        (out, x, w, bias, rows, outputs, inputs, 1 if out.dtype == torch.float32 else 0, stream_parts, stream_arrivals), n * (16384 + 8 * tiles * 144))


def vector_product(out, x, w, bias=None, norm=None, epilogue=0, rope=None, **defines):
    rows, (outputs, inputs) = x.shape[0], w.shape
    ctas = defines.get("CTAS", 2)
    pairs = (outputs + 1) // 2
    k = kernel("matvec.cu", "matvec", ROWS=rows, NORM=1 if norm is not None else 0, EPILOGUE=epilogue, HEAD_DIM=DIM, BLOCK_SIZE=BLOCK, **defines)
    keys, values, table, positions, slots = rope or (None,) * 5
    k((min(-(-pairs // 8), MULTIPROCESSORS * ctas),), 256,
      (out, x, w, bias, outputs, inputs, 1 if out.dtype == torch.float32 else 0, norm, 1e-5, keys, values, table, positions, slots, HEADS, KV_HEADS), rows * inputs * 2)


STATIONARY_WARPS = 16


def stationary_product(out, x, w, bias=None, norm=None, epilogue=0, rope=None, then=None, ahead=16384, **defines):
    """then: the weight that comes next, and whether its rows are read in halves; ahead: how much of it a CTA asks for. The division is StationaryMatmul.Layout's."""
    rows, (outputs, inputs) = x.shape[0], w.shape
    octets = 1 if rows <= 8 else 2 if rows <= 16 else 4
    chunk, pieces, most = (64, 2, 8) if octets == 1 else (32, octets, 8 if octets == 2 else 4)
    chunks_of = lambda c: -(-inputs // (chunk * STATIONARY_WARPS * c))
    cluster = defines.pop("CLUSTER", None) or next(c for c in (1, 2, 4, 8) if chunks_of(c) <= most)
    chunks = chunks_of(cluster)
    loads, most = (2 * chunks, 8) if octets == 1 else (chunks, chunks if chunks <= 4 else 8)
    depth = defines.pop("DEPTH", None) or (most // loads * loads if loads <= most else next(d for d in range(most, 0, -1) if loads % d == 0))
    in_shared = defines.pop("SHARED_CHUNKS", max(0, chunks - 4))
    k = kernel("matmul_stationary_hopper.cu", "matmul_stationary_hopper", OCTETS=octets, CHUNKS=chunks, SHARED_CHUNKS=in_shared, CLUSTER=cluster, DEPTH=depth, NORM=1 if norm is not None else 0,
        EPILOGUE=epilogue, HEAD_DIM=DIM, BLOCK_SIZE=BLOCK, **defines)
    shared = in_shared * pieces * STATIONARY_WARPS * 512 + (4 * octets * STATIONARY_WARPS + (4 * octets * cluster if cluster > 1 else 0)) * 256
    units = -(-(-(-outputs // 2)) // 4)
    keys, values, table, positions, slots = rope or (None,) * 5
    grid = min(units, k.active_clusters(cluster, 640, shared)) * cluster
    following = half = None
    if then is not None and ahead:
        address = then[0].data_ptr()
        following, half = ctypes.c_uint64(address), ctypes.c_uint64(address + (then[0].numel() if then[1] else grid * ahead // 2))
    k((grid,), 640, (out, x, w, bias, rows, outputs, inputs, 1 if out.dtype == torch.float32 else 0, norm, 1e-5, keys, values, table, positions, slots, HEADS, KV_HEADS,
      following, half, ahead // (2 * STATIONARY_WARPS) if following else 0), shared)


def skinny_product(out, x, w, bias=None):
    rows, (outputs, inputs) = x.shape[0], w.shape
    kernel("matmul_skinny.cu", "matmul_skinny", TOKEN_TILES=-(-rows // 8))((-(-outputs // 16),), 256,
        (out, x, w, bias, rows, outputs, inputs, 1 if out.dtype == torch.float32 else 0))


def close(out, reference, limit=None):
    d = (out.float() - reference.float()).norm() / reference.float().norm()
    return not torch.isnan(d) and d.item() < (limit or (3e-3 if out.dtype == bf16 else 1e-4)), f"{d.item():.1e}"


def correctness():
    for product, name, most in ((vector_product, "vector", 4), (stream_product, "stream", 0 if HOPPER else 32), (stationary_product, "stationary", 32 if HOPPER else 0)):
        if most == 0 or not chosen(name):
            continue
        for outputs, inputs in ((4096, 4096), (6144, 4096), (40, 96), (1000, 13824), (17, 8), (320, 72), (5120, 5120), (129, 4104), (32000, 1024)):
            w = torch.randn(outputs, inputs, device=device).to(bf16)
            b = torch.randn(outputs, device=device).to(bf16)
            worst, bad = 0.0, []
            for rows in range(1, most + 1):
                if rows > 8 and rows not in (9, 15, 16, 17, 31, 32) and outputs * inputs > 1 << 20:
                    continue
                x = torch.randn(rows, inputs, device=device).to(bf16)
                bias, kind = (b if rows % 2 else None), (torch.float32 if rows % 3 == 0 else bf16)
                out = torch.full((rows, outputs), float("nan"), device=device, dtype=kind)
                guard = torch.full((rows * outputs + 64,), 7.0, device=device, dtype=kind)
                target = guard[:rows * outputs].view(rows, outputs)
                target.fill_(float("nan"))
                synchronize()
                for _ in range(2):               # twice: the counters must be back at zero
                    product(target, x, w, bias)
                synchronize()
                reference = x.float() @ w.float().T + (bias.float() if bias is not None else 0)
                ok, detail = close(target, reference)
                worst = max(worst, float(detail))
                if not ok or not bool((guard[rows * outputs:] == 7).all()):
                    bad.append(rows)
            check(f"{name} {outputs}x{inputs} rows 1..{most}", not bad, f"worst {worst:.1e} {bad or ''}")
    check("counters back at zero", int(stream_arrivals.abs().sum()) == 0)
    # A graph of kernels that start while the one before ends, against the same one after the other.
    x = torch.randn(32, 4096, device=device).to(bf16)
    ws = [(torch.randn(4096, 4096, device=device) / 64).to(bf16) for _ in range(6)]
    for rows in (1, 4, 8) if not ONLY else ():
        a, b = torch.empty(rows, 4096, device=device, dtype=bf16), torch.empty(rows, 4096, device=device, dtype=bf16)
        second = stationary_product if HOPPER else stream_product

        def chain():
            for i, w in enumerate(ws):
                (vector_product if i % 2 == 0 and rows <= 4 else second)((a, b)[i % 2], x[:rows] if i == 0 else (b, a)[i % 2], w)
        graph_us(chain, 3)
        synchronize()
        y = x[:rows]
        for w in ws:
            y = (y.float() @ w.float().T).to(bf16)
        ok, detail = close(b, y, 8e-3)
        check(f"chain in a graph, {rows} rows", ok, detail)
    fused()


def fused():
    for rows in (1, 2, 3, 4) if chosen("vector") else ():
        fused_with("vector", vector_product, rows, 4096, 1536, True)
    for rows in (1, 8, 16, 17, 32) if HOPPER and chosen("stationary") else ():
        fused_with("stationary", stationary_product, rows, 4096, 1536, True)
        fused_with("stationary", stationary_product, rows, 5120, 904, True)
        fused_with("stationary", stationary_product, rows, 1032, 904, True)


def fused_with(name, product, rows, hidden, inner, norms):
    x = torch.randn(rows, hidden, device=device).to(bf16)
    g = torch.rand(hidden, device=device).to(bf16)
    normed = x if not norms else (x.double() / (x.double().pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * g.double()).to(bf16)
    w = (torch.randn(2 * inner, hidden, device=device) / 64).to(bf16)
    out = torch.full((rows, inner), float("nan"), device=device, dtype=bf16)
    synchronize()
    product(out, x, w, epilogue=1, **(dict(norm=g) if norms else {}))
    synchronize()
    y = normed.double() @ w.double().T
    ok, detail = close(out, torch.nn.functional.silu(y[:, :inner]) * y[:, inner:], 6e-3)
    check(f"{name}: gate and up, silu: {rows} rows of {hidden}", ok, detail)

    w = (torch.randn(hidden, inner, device=device) / 40).to(bf16)
    a = torch.randn(rows, inner, device=device).to(bf16)
    residual = x.clone()
    synchronize()
    product(residual, a, w, epilogue=3)
    synchronize()
    ok, detail = close(residual, x.double() + a.double() @ w.double().T)
    check(f"{name}: added to the residual: {rows} rows", ok, detail)

    w = (torch.randn((HEADS + 2 * KV_HEADS) * DIM, hidden, device=device) / 64).to(bf16)
    bias = torch.randn(w.shape[0], device=device).to(bf16)
    angle = torch.arange(512, device=device).double()[:, None] / (10000 ** (torch.arange(0, DIM, 2, device=device).double() / DIM))
    table = torch.stack([angle.cos(), angle.sin()], -1).float().contiguous()
    positions = torch.randint(0, 512, (rows,), device=device, dtype=torch.int32)
    slots = torch.randperm(5 * BLOCK)[:rows].int().to(device)
    k = torch.zeros(5, KV_HEADS, BLOCK, DIM, device=device, dtype=bf16)
    v = torch.zeros_like(k)
    out = torch.full((rows, w.shape[0]), float("nan"), device=device, dtype=bf16)
    synchronize()
    product(out, x, w, bias, epilogue=2, rope=(k, v, table, positions, slots), **(dict(norm=g) if norms else {}))
    synchronize()
    y = (normed.double() @ w.double().T + bias.double()).view(rows, -1, DIM)
    cos, sin = angle.cos()[positions.long()][:, None], angle.sin()[positions.long()][:, None]
    p, q = y[:, :HEADS + KV_HEADS, :DIM // 2], y[:, :HEADS + KV_HEADS, DIM // 2:]
    turned = torch.cat([p * cos - q * sin, q * cos + p * sin], -1)
    ok, detail = close(out.view(rows, -1, DIM)[:, :HEADS], turned[:, :HEADS], 4e-3)
    k, v = cached(k), cached(v)
    kk, vv = k.transpose(1, 2).reshape(-1, KV_HEADS, DIM)[slots.long()], v.transpose(1, 2).reshape(-1, KV_HEADS, DIM)[slots.long()]
    ok2, detail2 = close(kk, turned[:, HEADS:], 4e-3)
    ok3, detail3 = close(vv, y[:, HEADS + KV_HEADS:], 4e-3)
    clean = int((k != 0).any(-1).sum()) <= rows * KV_HEADS
    check(f"{name}: QKV, rotation, cache: {rows} rows", ok and ok2 and ok3 and clean, f"{detail} {detail2} {detail3}")


def products():
    print(f"\nProducts alone: microseconds and TB/s of weights, replayed as graphs over weights that do not fit the cache")
    shapes = ((6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336), (32000, 4096), (7168, 5120), (5120, 5120), (27648, 5120), (5120, 13824))
    print(f"{'shape':>14} {'rows':>4} {'torch':>16} {'skinny':>16} {'vector':>16} {'stream':>16} {'stationary':>16}")
    for outputs, inputs in shapes:
        copies = max(2, min(16, (1 << 30) // (outputs * inputs * 2)))
        ws = [torch.randn(outputs, inputs, device=device, dtype=bf16) for _ in range(copies)]
        for rows in (1, 8, 16, 32) if inputs in (4096, 14336) else (8, 32):
            x = torch.randn(rows, inputs, device=device).to(bf16)
            out = torch.empty(rows, outputs, device=device, dtype=bf16)
            cells = []
            t = torch_us(lambda: [torch.mm(x, w.T, out=out) for w in ws], per=copies)
            cells.append(t)
            for name, product, most in (("skinny", skinny_product, 16), ("vector", vector_product, 4), ("stream", stream_product, 0 if HOPPER else 32), ("stationary", stationary_product, 32 if HOPPER else 0)):
                cells.append(graph_us(lambda: [product(out, x, w) for w in ws], per=copies) if rows <= most and chosen(name) else None)
            text = " ".join(f"{t:7.1f} {outputs * inputs * 2 / t / 1e6:5.2f}TB" if t else " " * 14 + "--" for t in cells)
            print(f"{outputs:6}x{inputs:<7} {rows:4} {text}", flush=True)
        del ws


def layers():
    print("\nDecode layers of Mistral-7B without attention, microseconds a layer (436 MB: 97 us at 4.5 TB/s), as a graph of 8 layers")
    count, hidden, inner, qkv = 8, 4096, 14336, (HEADS + 2 * KV_HEADS) * DIM
    make = lambda o, i: (torch.randn(o, i, device=device, dtype=bf16) / i ** 0.5)
    weights = [(make(qkv, hidden), make(hidden, hidden), make(2 * inner, hidden), make(hidden, inner)) for _ in range(count)]
    g = torch.ones(hidden, device=device, dtype=bf16)
    table = torch.rand(2048, DIM // 2, 2, device=device)
    k = torch.zeros(8, KV_HEADS, BLOCK, DIM, device=device, dtype=bf16)
    v = torch.zeros_like(k)
    for rows in (1, 2, 4, 8, 16, 32):
        positions, slots = torch.arange(rows, device=device, dtype=torch.int32), torch.arange(rows, device=device, dtype=torch.int32)
        h = torch.randn(rows, hidden, device=device).to(bf16)
        normed, q, delta = torch.empty_like(h), torch.empty(rows, qkv, device=device, dtype=bf16), torch.empty_like(h)
        both, act = torch.empty(rows, 2 * inner, device=device, dtype=bf16), torch.empty(rows, inner, device=device, dtype=bf16)
        ops = {n: kernel("elementwise.cu", n, HEAD_DIM=DIM, BLOCK_SIZE=BLOCK, NORM_THREADS=256, NORM_CHUNKS=2) for n in ("add_rms_norm", "rope_store_kv", "silu_mul")}

        def norm(d):
            ops["add_rms_norm"]((rows,), 256, (normed, h, d, g, hidden, 1e-5, 0.0))

        def plain(product):
            norm(None)
            for a, b, c, d in weights:
                product(q, normed, a)
                ops["rope_store_kv"]((rows,), 256, (q, k, v, table, positions, slots, HEADS, KV_HEADS, DIM, None, 0, 0.0, None))
                product(delta, q.view(-1)[:rows * hidden].view(rows, hidden), b)
                norm(delta)
                product(both, normed, c)
                ops["silu_mul"]((4, rows), 128, (act, both, inner, None, 0, 0.0))
                product(delta, act, d)
                norm(delta)

        def library():
            for a, b, c, d in weights:
                torch.mm(normed, a.T, out=q)
                torch.mm(q.view(-1)[:rows * hidden].view(rows, hidden), b.T, out=delta)
                torch.mm(normed, c.T, out=both)
                torch.mm(act, d.T, out=delta)

        def fused():
            for a, b, c, d in weights:
                vector_product(q, h, a, norm=g, epilogue=2, rope=(k, v, table, positions, slots))
                vector_product(h, q.view(-1)[:rows * hidden].view(rows, hidden), b, epilogue=3)
                vector_product(act, h, c, norm=g, epilogue=1)
                vector_product(h, act, d, epilogue=3)

        def stationary(attention=()):
            for i, (a, b, c, d) in enumerate(weights):
                stationary_product(q, h, a, norm=g, epilogue=2, rope=(k, v, table, positions, slots))
                if attention:
                    decode.run(attention[i], BULK_COPIES=1)
                stationary_product(h, attention[i]["out"] if attention else q.view(-1)[:rows * hidden].view(rows, hidden), b, epilogue=3, then=(c, True))
                stationary_product(act, h, c, norm=g, epilogue=1, then=(d, False))
                stationary_product(h, act, d, epilogue=3, then=(weights[(i + 1) % count][0], False))

        sequences = [decode.make([1088] * rows, KV_HEADS, HEADS // KV_HEADS, DIM, BLOCK) for _ in range(count)]
        row = []
        for name, run, most in (("stationary", stationary, 32 if HOPPER else 0), ("stationary, with attention at 1088", lambda: stationary(sequences), 32 if HOPPER else 0), ("skinny", lambda: plain(skinny_product), 16), ("stream", lambda: plain(stream_product), 0 if HOPPER else 32), ("vector", lambda: plain(vector_product), 4), ("vector, fused", fused, 4)):
            if rows <= most and chosen(name):
                h.normal_()
                synchronize()
                row.append(f"{name} {graph_us(run, per=count):.1f}")
        row.append(f"torch's four products alone {torch_us(library, per=count):.1f}")
        print(f"{rows:3} rows: " + ", ".join(row), flush=True)


start = time.time()
correctness()
print(f"checked in {time.time() - start:.0f} s")
if "--time" in sys.argv and not failed:
    compile_as_shipped()
    products()
    layers()
    print(f"{time.time() - start:.0f} s in all")
finish()
