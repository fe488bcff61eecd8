"""Checks and times the prompt attention kernels against PyTorch in float64/float32, without the C# host; decode_attention.py has the decode kernel.

Needs a CUDA machine with PyTorch and CuPy. Run from the repository root:
    python3 tests/Engine.GpuTests/reference/attention_check.py [--time]
"""
import ctypes
import glob
import math
import os
import sys
import tempfile

import cupy as cp
import numpy as np
import torch

from launching import cached, map_on_device

KERNELS = "Engine/Backends/Cuda/Kernels/"
torch.manual_seed(7)
device = torch.device("cuda")


_major, _minor = torch.cuda.get_device_capability()
ARCHITECTURE = f"sm_{_major}{_minor}" + ("a" if _major == 9 else "")
_nvrtc = ctypes.CDLL(next(f for pattern in ("/usr/local/cuda/lib64/libnvrtc.so.1[23]", os.path.dirname(torch.__file__) + "/../nvidia/*/lib/libnvrtc.so.1[23]") for f in sorted(glob.glob(pattern))))
_folder = tempfile.mkdtemp()


def module(name, **defines):
    """Compiles as the engine does: NVRTC to machine code for this card's own architecture."""
    options = [f"--gpu-architecture={ARCHITECTURE}", "--std=c++17", "-default-device", "-I" + KERNELS] + [f"-D{k}={v}" for k, v in defines.items()]
    program = ctypes.c_void_p()
    _nvrtc.nvrtcCreateProgram(ctypes.byref(program), open(KERNELS + name, "rb").read(), name.encode(), 0, None, None)
    status = _nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*[o.encode() for o in options]))
    size = ctypes.c_size_t()
    if status:
        _nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        _nvrtc.nvrtcGetProgramLog(program, log)
        raise RuntimeError(log.value.decode())
    _nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    code = ctypes.create_string_buffer(size.value)
    _nvrtc.nvrtcGetCUBIN(program, code)
    path = tempfile.mktemp(suffix=".cubin", dir=_folder)
    open(path, "wb").write(code.raw)
    return cp.RawModule(path=path)


def pointer(t):
    return np.uint64(t.data_ptr())


def make(contexts, queries, kv_heads, group, dim, block):
    heads = kv_heads * group
    tokens = sum(queries)
    blocks_of = [(c + block - 1) // block for c in contexts]
    total_blocks = sum(blocks_of) + 1
    order = torch.randperm(total_blocks - 1) + 1
    table = torch.zeros(len(contexts), max(blocks_of), dtype=torch.int32)
    at = 0
    for i, n in enumerate(blocks_of):
        table[i, :n] = order[at:at + n]
        at += n
    qkv = torch.randn(tokens, (heads + 2 * kv_heads) * dim, device=device).bfloat16()
    k = torch.randn(total_blocks, kv_heads, block, dim, device=device, dtype=torch.bfloat16)
    v = torch.randn(total_blocks, kv_heads, block, dim, device=device, dtype=torch.bfloat16)
    starts = torch.tensor([0] + list(np.cumsum(queries)), dtype=torch.int32)
    return dict(stride=torch.tensor([table.shape[1]], dtype=torch.int32, device=device), qkv=qkv, k=k, v=v, table=table.to(device), starts=starts.to(device), contexts=torch.tensor(contexts, dtype=torch.int32, device=device),
                heads=heads, kv_heads=kv_heads, group=group, dim=dim, block=block, queries=queries, lengths=contexts, tokens=tokens)


def reference(c, window):
    out = torch.empty(c["tokens"], c["heads"] * c["dim"], device=device, dtype=torch.float32)
    at = 0
    for i, (n, context) in enumerate(zip(c["queries"], c["lengths"])):
        ids = c["table"][i, :(context + c["block"] - 1) // c["block"]].long()
        k = c["k"][ids].permute(1, 0, 2, 3).reshape(c["kv_heads"], -1, c["dim"])[:, :context].double()
        v = c["v"][ids].permute(1, 0, 2, 3).reshape(c["kv_heads"], -1, c["dim"])[:, :context].double()
        q = c["qkv"][at:at + n, :c["heads"] * c["dim"]].reshape(n, c["kv_heads"], c["group"], c["dim"]).permute(1, 2, 0, 3).double()
        s = torch.einsum("hgqd,hkd->hgqk", q, k) / math.sqrt(c["dim"])
        pos = torch.arange(context - n, context, device=device)[:, None]
        key = torch.arange(context, device=device)[None]
        hidden = key > pos
        if window:
            hidden |= key <= pos - window
        s.masked_fill_(hidden, float("-inf"))
        o = torch.einsum("hgqk,hkd->hgqd", s.softmax(-1), v)
        out[at:at + n] = o.permute(2, 0, 1, 3).reshape(n, -1).float()
        at += n
    return out


def raise_shared(kernel, size):
    kernel.max_dynamic_shared_size_bytes = size


def run_prompt(c, window, mod=None):
    dim, group = c["dim"], c["group"]
    kernel = (mod or module("attention_prompt.cu", HEAD_DIM=dim, GROUP=group, BLOCK_SIZE=c["block"])).get_function("attention_prompt")
    tile = 64 if dim > 128 else 128
    shared = (tile + 4 * 64) * (dim + 8) * 2
    raise_shared(kernel, shared)
    work = [(c["lengths"][i] - n + q, i, q) for i, n in enumerate(c["queries"]) for q in range(0, n, tile)]
    work.sort(reverse=True)
    seqs = torch.tensor([w[1] for w in work], dtype=torch.int32, device=device)
    qs = torch.tensor([w[2] for w in work], dtype=torch.int32, device=device)
    out = torch.full((c["tokens"], c["heads"] * dim), float("nan"), device=device, dtype=torch.bfloat16)
    both = cached(c["k"]), cached(c["v"])
    args = (pointer(out), pointer(c["qkv"]), *map(pointer, both), pointer(c["table"]), pointer(c["starts"]), pointer(c["contexts"]),
            pointer(seqs), pointer(qs), pointer(c["stride"]), np.int32(c["kv_heads"]), np.int32(window),
            np.float32(1.4426950408889634 / math.sqrt(dim)))
    launch = lambda: kernel((len(work), c["heads"]), (128,), args, shared_mem=shared)
    launch()
    torch.cuda.synchronize()
    return out, launch, (seqs, qs, both)


def run_prompt_hopper(c, window):
    dim, group, block = c["dim"], c["group"], c["block"]
    kernel = module("attention_prompt_hopper.cu", HEAD_DIM=dim, GROUP=group, BLOCK_SIZE=block).get_function("attention_prompt_hopper")
    shared = 2 * 128 * dim * 2 + 4 * 128 * dim * 2 + 96 + 1024
    raise_shared(kernel, shared)
    work = [(c["lengths"][i] - n + q, i, q) for i, n in enumerate(c["queries"]) for q in range(0, n, 128)]
    work.sort(reverse=True)
    seqs = torch.tensor([w[1] for w in work], dtype=torch.int32, device=device)
    qs = torch.tensor([w[2] for w in work], dtype=torch.int32, device=device)
    out = torch.full((c["tokens"], c["heads"] * dim), float("nan"), device=device, dtype=torch.bfloat16)
    blocks = c["k"].shape[0]
    both = cached(c["k"]), cached(c["v"])
    maps = [map_on_device(c["qkv"], [c["qkv"].shape[1], c["tokens"]], [64, 128])] + [map_on_device(t, [dim, block, c["kv_heads"], blocks], [64, block, 1, 1], swizzles=False) for t in both]
    args = (pointer(out), pointer(maps[0]), pointer(maps[1]), pointer(maps[2]), pointer(c["table"]), pointer(c["starts"]), pointer(c["contexts"]),
            pointer(seqs), pointer(qs), np.int32(len(work) * c["heads"]), pointer(c["stride"]), np.int32(blocks), np.int32(c["kv_heads"]), np.int32(window),
            np.float32(1.4426950408889634 / math.sqrt(dim)))
    grid = torch.cuda.get_device_properties(0).multi_processor_count
    launch = lambda: kernel((grid,), (384,), args, shared_mem=shared)
    launch()
    torch.cuda.synchronize()
    return out, launch, (seqs, qs, maps, both)


def error(out, ref):
    d = (out.float() - ref)
    bad = torch.isnan(d).sum().item()
    return (d.norm() / ref.norm()).item(), bad


def time_ms(launch, repeats=50):
    stream = torch.cuda.ExternalStream(cp.cuda.get_current_stream().ptr) if False else None
    launch()
    cp.cuda.Device().synchronize()
    times = []
    for _ in range(repeats):
        a, b = cp.cuda.Event(), cp.cuda.Event()
        a.record()
        launch()
        b.record()
        b.synchronize()
        times.append(cp.cuda.get_elapsed_time(a, b))
    return float(np.median(times))


def main():
    rng = np.random.default_rng(3)
    failed = False
    for dim, kv, group, block in [(128, 8, 4, 64), (128, 2, 8, 16), (128, 4, 5, 64), (64, 4, 8, 32), (96, 2, 1, 16), (256, 2, 2, 64), (32, 2, 3, 16), (16, 2, 2, 16), (128, 1, 16, 64)]:
        for window in (0, 100):
            n = 19
            contexts = [int(x) for x in rng.integers(1, 900, n)]
            queries = [int(min(x, rng.integers(1, 300))) for x in contexts]
            queries[0] = contexts[0]
            c = make(contexts, queries, kv, group, dim, block)
            e, bad = error(run_prompt(c, window)[0], reference(c, window))
            ok = e < 5e-3 and bad == 0
            failed |= not ok
            print(f"prompt dim {dim} kv {kv} group {group} block {block} window {window}: {e:.1e} nan {bad} {'ok' if ok else 'FAIL'}")
            if dim in (64, 128) and ARCHITECTURE == "sm_90a":
                # what lies past a context must not matter, whatever it is
                for i, context in enumerate(c["lengths"]):
                    if context % block:
                        c["v"][c["table"][i, context // block].long(), :, context % block:] = float("nan")
                e, bad = error(run_prompt_hopper(c, window)[0], reference(c, window))
                ok = e < 5e-3 and bad == 0
                failed |= not ok
                print(f"prompt (hopper) dim {dim} kv {kv} group {group} block {block} window {window}: {e:.1e} nan {bad} {'ok' if ok else 'FAIL'}")
    if "--time" in sys.argv:
        for n, b, block in ((1024, 8, 64), (1024, 8, 16), (16384, 1, 64), (4096, 2, 64)):
            c = make([n] * b, [n] * b, 8, 4, 128, block)
            _, launch, keep = run_prompt(c, 0)
            t = time_ms(launch, 20)
            flops = b * 32 * 4 * 128 * n * n / 2
            print(f"prompt {b} x {n} block {block}: {t * 1000:.0f} us {flops / t / 1e9:.0f} TFLOP/s")
            if ARCHITECTURE == "sm_90a":
                _, launch, keep = run_prompt_hopper(c, 0)
                t = time_ms(launch, 20)
                print(f"prompt (hopper) {b} x {n} block {block}: {t * 1000:.0f} us {flops / t / 1e9:.0f} TFLOP/s")
    print("FAILED" if failed else "all ok")
    return 1 if failed else 0


sys.exit(main())
