"""Checks the elementwise and sampling kernels against PyTorch, without the C# host; --time adds timings.

Needs a CUDA machine with PyTorch and CuPy. Run from the repository root:
    python3 tests/Engine.GpuTests/reference/ops_check.py [--time]
"""
import sys

import cupy as cp
import numpy as np
import torch

from launching import cached

KERNELS = "Engine/Backends/Cuda/Kernels/"
torch.manual_seed(11)
device = torch.device("cuda")
failed = []
NOTHING_LEFT = np.uint64(0), np.int32(0), np.float32(0), np.uint64(0)     # of a norm or a bias: input, its columns, epsilon, bias


def module(name, **defines):
    options = ["--std=c++17", "-default-device", "-I" + KERNELS] + [f"-D{k}={v}" for k, v in defines.items()]
    return cp.RawModule(code=open(KERNELS + name).read(), options=tuple(options), backend="nvrtc")


def pointer(t):
    return np.uint64(0 if t is None else t.data_ptr())


def check(name, ok, detail=""):
    print(f"{name}: {'ok' if ok else 'FAIL'} {detail}")
    if not ok:
        failed.append(name)


def time_us(launch, repeats=50):
    launch()
    cp.cuda.Device().synchronize()
    times = []
    for _ in range(repeats):
        a, b = cp.cuda.Event(), cp.cuda.Event()
        a.record(); launch(); b.record(); b.synchronize()
        times.append(cp.cuda.get_elapsed_time(a, b))
    return float(np.median(times)) * 1000


def rel(a, b):
    d = (a.float() - b.float()).norm() / b.float().norm()
    return d.item() if not torch.isnan(d) else 9.0


def elementwise():
    m = module("elementwise.cu", HEAD_DIM=128, BLOCK_SIZE=64)
    for rows, hidden in ((5, 64), (300, 4096), (7, 8192), (3, 96)):
        r = torch.randn(rows, hidden, device=device).bfloat16()
        d = torch.randn(rows, hidden, device=device).bfloat16()
        w = torch.randn(hidden, device=device).bfloat16()
        out = torch.full_like(r, float("nan"))
        expected_r = (r.float() + d.float()).bfloat16()
        f = expected_r.double()
        expected = f / (f.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * w.double()
        threads = min(1024, max(32, (hidden // 16 + 31) // 32 * 32))
        m.get_function("add_rms_norm")((rows,), (threads,), (pointer(out), pointer(r), pointer(d), pointer(w), np.int32(hidden), np.float32(1e-5), np.float32(0)))
        torch.cuda.synchronize()
        check(f"add_rms_norm {rows}x{hidden}", rel(out, expected) < 4e-3 and torch.equal(r, expected_r), f"{rel(out, expected):.1e}")
    heads, kv, dim, tokens, block = 32, 8, 128, 77, 64
    for rotary in (128, 96, 64):
        qkv = torch.randn(tokens, (heads + 2 * kv) * dim, device=device).bfloat16()
        k = torch.full((9, kv, block, dim), float("nan"), device=device, dtype=torch.bfloat16)
        v = k.clone()
        positions = torch.randint(0, 500, (tokens,), device=device, dtype=torch.int32)
        slots = torch.randperm(9 * block)[:tokens].int().to(device)
        inv = 1.0 / (10000 ** (torch.arange(0, rotary, 2, device=device).double() / rotary))
        angle = torch.arange(512, device=device).double()[:, None] * inv
        table = torch.stack([angle.cos(), angle.sin()], -1).float().contiguous()
        x = qkv.double().reshape(tokens, heads + 2 * kv, dim)
        cos, sin = angle.cos()[positions.long()][:, None], angle.sin()[positions.long()][:, None]
        a, b = x[:, :heads + kv, :rotary // 2], x[:, :heads + kv, rotary // 2:rotary]
        rotated = torch.cat([a * cos - b * sin, b * cos + a * sin, x[:, :heads + kv, rotary:]], -1)
        m.get_function("rope_store_kv")((tokens,), (256,), (pointer(qkv), pointer(k), pointer(v), pointer(table), pointer(positions), pointer(slots), np.int32(heads), np.int32(kv), np.int32(rotary), *NOTHING_LEFT))
        torch.cuda.synchronize()
        q = qkv.reshape(tokens, -1, dim)[:, :heads]
        k, v = cached(k), cached(v)
        kk = k.permute(0, 2, 1, 3).reshape(-1, kv, dim)[slots.long()]
        vv = v.permute(0, 2, 1, 3).reshape(-1, kv, dim)[slots.long()]
        untouched = torch.isnan(k.float()).sum().item() == (9 * block - tokens) * kv * dim
        check(f"rope_store_kv rotary {rotary}", rel(q, rotated[:, :heads]) < 4e-3 and rel(kk, rotated[:, heads:]) < 4e-3 and torch.equal(vv.double(), x[:, heads + kv:]) and untouched)
    g = torch.randn(33, 2 * 14336, device=device).bfloat16()
    out = torch.full((33, 14336), float("nan"), device=device, dtype=torch.bfloat16)
    m.get_function("silu_mul")((4, 33), (128,), (pointer(out), pointer(g), np.int32(14336), *NOTHING_LEFT[:3]))
    torch.cuda.synchronize()
    e = torch.nn.functional.silu(g[:, :14336].double()) * g[:, 14336:].double()
    check("silu_mul", rel(out, e) < 4e-3)
    if "--time" in sys.argv:
        rows = 8192
        g = torch.randn(rows, 2 * 14336, device=device).bfloat16()
        out = torch.empty(rows, 14336, device=device, dtype=torch.bfloat16)
        t = time_us(lambda: m.get_function("silu_mul")((4, rows), (128,), (pointer(out), pointer(g), np.int32(14336), *NOTHING_LEFT[:3])))
        print(f"silu_mul {rows}: {t:.0f} us {rows * 14336 * 6 / t / 1e6:.2f} TB/s")
        r = torch.randn(rows, 4096, device=device).bfloat16(); d = torch.randn(rows, 4096, device=device).bfloat16(); w = torch.randn(4096, device=device).bfloat16(); o = torch.empty_like(r)
        t = time_us(lambda: m.get_function("add_rms_norm")((rows,), (256,), (pointer(o), pointer(r), pointer(d), pointer(w), np.int32(4096), np.float32(1e-5), np.float32(0))))
        print(f"add_rms_norm {rows}: {t:.0f} us {rows * 4096 * 8 / t / 1e6:.2f} TB/s")
        qkv = torch.randn(rows, 48 * 128, device=device).bfloat16(); k = torch.empty(rows // 64, 8, 64, 128, device=device, dtype=torch.bfloat16); v = torch.empty_like(k)
        pos = torch.arange(rows, device=device, dtype=torch.int32) % 512; slots = torch.arange(rows, device=device, dtype=torch.int32)
        t = time_us(lambda: m.get_function("rope_store_kv")((rows,), (256,), (pointer(qkv), pointer(k), pointer(v), pointer(table), pointer(pos), pointer(slots), np.int32(32), np.int32(8), np.int32(64), *NOTHING_LEFT)))
        print(f"rope_store_kv {rows}: {t:.0f} us {rows * (40 * 2 + 16) * 128 * 2 / t / 1e6:.2f} TB/s")


setting = np.dtype([("it", "f4"), ("topP", "f4"), ("minP", "f4"), ("topK", "i4"), ("seed", "u8"), ("position", "i4"), ("logprobs", "i4")])


def run_sample(m, logits, settings, top=5):
    rows, vocab = logits.shape
    s = torch.from_numpy(settings.view(np.uint8).copy()).to(device)
    tokens = torch.full((rows,), -7, device=device, dtype=torch.int32)
    logprobs = torch.full((rows,), float("nan"), device=device)
    ids = torch.zeros(rows, top, device=device, dtype=torch.int32)
    lps = torch.zeros(rows, top, device=device)
    bad = torch.full((rows,), -7, device=device, dtype=torch.int32)
    args = (pointer(tokens), pointer(logprobs), pointer(ids), pointer(lps), pointer(bad), pointer(logits), pointer(logits), pointer(s), np.int32(vocab), np.int32(top))
    launch = lambda: m.get_function("sample")((rows,), (1024,), args)
    launch()
    torch.cuda.synchronize()
    return tokens, logprobs, ids, lps, bad, launch, s


def sampling():
    m = module("sampling.cu")
    for vocab in (320, 1000, 32768, 151643):
        rows = 16
        logits = torch.randn(rows, vocab, device=device) * 3
        st = np.zeros(rows, setting); st["topP"] = 1; st["logprobs"] = 5
        t, lp, ids, lps, bad, _, keep = run_sample(m, logits, st)
        ref = logits.double().log_softmax(-1)
        top = ref.topk(5)
        ok = torch.equal(t.long(), logits.argmax(-1)) and torch.allclose(lp.double(), ref.max(-1)[0], atol=1e-4) and torch.equal(ids.long(), top[1]) and torch.allclose(lps.double(), top[0], atol=1e-4) and bad.sum().item() == 0
        check(f"greedy and logprobs vocabulary {vocab}", ok)
    logits = torch.randn(4, 5000, device=device); logits[1, 7] = float("nan"); logits[2, :] = float("-inf"); logits[3, 5] = float("-inf")
    st = np.zeros(4, setting); st["topP"] = 0.9; st["it"] = 1; st["logprobs"] = -1
    bad = run_sample(m, logits, st)[4].tolist()
    check("not finite", bad[0] == 0 and bad[1] == 1 and bad[2] == 1 and bad[3] == 0, str(bad))
    vocab, rows = 700, 65536
    base = torch.randn(vocab, device=device) * 2.5
    for name, it, top_p, top_k, min_p in (("temperature", 1 / 0.7, 1, 0, 0), ("top-p", 1.0, 0.8, 0, 0), ("top-k", 1.0, 1, 20, 0), ("min-p", 1.0, 1, 0, 0.1), ("all", 1 / 1.3, 0.9, 50, 0.02)):
        st = np.zeros(rows, setting)
        st["it"], st["topP"], st["topK"], st["minP"], st["logprobs"] = it, top_p, top_k, min_p, -1
        st["seed"] = np.random.default_rng(5).integers(0, 2**63, rows)
        st["position"] = np.arange(rows) % 100
        logits = base.repeat(rows, 1)
        t = run_sample(m, logits, st)[0].long()
        p = (base.double() * it).softmax(-1)
        order = p.argsort(descending=True)
        keep = torch.ones(vocab, dtype=torch.bool, device=device)
        if top_k:
            mask = torch.zeros_like(keep); mask[order[:top_k]] = True; keep &= mask
        if top_p < 1:
            c = p[order].cumsum(0); n = int((c < top_p).sum()) + 1
            mask = torch.zeros_like(keep); mask[order[:n]] = True; keep &= mask
        if min_p:
            keep &= p >= min_p * p.max()
        q = p * keep; q /= q.sum()
        counts = torch.bincount(t, minlength=vocab).double()
        outside = counts[~keep].sum().item()
        big = (q * rows) > 5
        chi = (((counts - q * rows) ** 2) / (q * rows))[big].sum().item()
        df = int(big.sum()) - 1
        check(f"distribution {name}", outside == 0 and chi < df + 5 * (2 * df) ** 0.5, f"chi2 {chi:.0f} df {df} outside {outside}")
        again = run_sample(m, logits[:100].clone(), st[:100].copy())[0].long()
        check(f"seeded {name}", torch.equal(again, t[:100]))
    if "--time" in sys.argv:
        for vocab in (32768, 128256):
            logits = torch.randn(256, vocab, device=device) * 3
            for name, it, p, k in (("greedy", 0, 1, 0), ("temperature", 1, 1, 0), ("temperature top-p", 1, 0.9, 0), ("temperature top-p top-k", 1, 0.9, 50)):
                st = np.zeros(256, setting); st["it"], st["topP"], st["topK"], st["logprobs"] = it, p, k, -1
                r = run_sample(m, logits, st)
                print(f"sample 256 x {vocab} {name}: {time_us(r[5]):.0f} us")


elementwise()
sampling()
print("FAILED " + ", ".join(failed) if failed else "all ok")
sys.exit(1 if failed else 0)
