"""Compiles and launches the engine's kernels as the engine does, with nothing but ctypes, libcuda, NVRTC and PyTorch's memory."""
import ctypes
import glob
import os
import sys

import numpy as np
import torch

KERNELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../Engine/Backends/Cuda/Kernels/")
device = torch.device("cuda")
torch.zeros(1, device=device)                       # makes the context that everything below shares
_major, _minor = torch.cuda.get_device_capability()
ARCHITECTURE = f"sm_{_major}{_minor}" + ("a" if _major == 9 else "")
MULTIPROCESSORS = torch.cuda.get_device_properties(0).multi_processor_count
_driver = ctypes.CDLL("libcuda.so.1")
_places = ("/usr/local/cuda/lib64/libnvrtc.so.1[23]", os.path.dirname(torch.__file__) + "/../nvidia/*/lib/libnvrtc.so.1[23]", os.path.dirname(torch.__file__) + "/lib/libnvrtc*.so*")
_nvrtc = ctypes.CDLL(next(f for pattern in _places for f in sorted(glob.glob(pattern)) if "builtins" not in f))
stream = torch.cuda.Stream()
_stream = ctypes.c_void_p(stream.cuda_stream)


def call(name, *arguments):
    status = getattr(_driver, name)(*arguments)
    if status:
        text = ctypes.c_char_p()
        _driver.cuGetErrorString(status, ctypes.byref(text))
        raise RuntimeError(f"{name}: {status} {text.value}")


class _Attribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_int), ("rest", ctypes.c_byte * 60)]


class _Config(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_uint), ("stream", ctypes.c_void_p),
                ("attributes", ctypes.POINTER(_Attribute)), ("count", ctypes.c_uint)]


class Kernel:
    def __init__(self, function, overlaps):
        self.function, self.overlaps, self.allowed, self.clusters = function, overlaps and _major >= 9, 0, {}

    def __call__(self, grid, threads, arguments, shared=0):
        if shared > max(self.allowed, 32 * 1024):     # with what the kernel has of its own it may be over 48
            call("cuFuncSetAttribute", self.function, 8, shared)
            self.allowed = shared
        cells = []
        for a in arguments:
            if a is None:
                cells.append(ctypes.c_uint64(0))
            elif isinstance(a, torch.Tensor):
                cells.append(ctypes.c_uint64(a.data_ptr()))
            elif isinstance(a, float):
                cells.append(ctypes.c_float(a))
            elif isinstance(a, int):
                cells.append(ctypes.c_int(a))
            else:
                cells.append(a)
        pointers = (ctypes.c_void_p * len(cells))(*[ctypes.addressof(c) for c in cells])
        attribute = _Attribute(6, 0, 1)
        config = _Config((ctypes.c_uint * 3)(*(tuple(grid) + (1, 1))[:3]), (ctypes.c_uint * 3)(threads, 1, 1), shared, _stream, ctypes.pointer(attribute), 1 if self.overlaps else 0)
        call("cuLaunchKernelEx", ctypes.byref(config), self.function, pointers, None)


    def active_clusters(self, size, threads, shared):
        """How many clusters of so many CTAs the card holds at once."""
        if (size, threads, shared) not in self.clusters:
            if shared > max(self.allowed, 32 * 1024):     # with what the kernel has of its own it may be over 48
                call("cuFuncSetAttribute", self.function, 8, shared)
                self.allowed = shared
            attribute, count = _Attribute(4, 0, size), ctypes.c_int()
            ctypes.memmove(ctypes.byref(attribute, 8), (ctypes.c_uint * 3)(size, 1, 1), 12)
            config = _Config((ctypes.c_uint * 3)(size * MULTIPROCESSORS, 1, 1), (ctypes.c_uint * 3)(threads, 1, 1), shared, _stream, ctypes.pointer(attribute), 1)
            call("cuOccupancyMaxActiveClusters", ctypes.byref(count), self.function, ctypes.byref(config))
            self.clusters[size, threads, shared] = count.value
            print(f"clusters of {size}: {count.value}")
        return self.clusters[size, threads, shared]


_modules, _kernels = {}, {}
_bounded = True


def compile_as_shipped():
    """From here on waits have no bound, as in the engine: the bound costs registers, so nothing is timed with it."""
    global _bounded
    _bounded = False


def kernel(file, name, overlaps=True, **defines):
    """A kernel of a file compiled with NAME=VALUE definitions; waits that would never end trap, until compile_as_shipped is called."""
    key = (file, _bounded, tuple(sorted(defines.items())))
    if key not in _modules:
        options = [f"--gpu-architecture={ARCHITECTURE}", "--std=c++17", "-default-device", "-I" + KERNELS] + ["-DBOUNDED_WAITS"] * _bounded + [f"-D{k}={v}" for k, v in defines.items()]
        program = ctypes.c_void_p()
        _nvrtc.nvrtcCreateProgram(ctypes.byref(program), open(KERNELS + file, "rb").read(), file.encode(), 0, None, None)
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
        module = ctypes.c_void_p()
        call("cuModuleLoadData", ctypes.byref(module), code)
        _modules[key] = module
    if (key, name) not in _kernels:
        function = ctypes.c_void_p()
        call("cuModuleGetFunction", ctypes.byref(function), _modules[key], name.encode())
        _kernels[key, name] = Kernel(function, overlaps)
    return _kernels[key, name]


class MapBytes(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_byte * 128)]


def maps_argument(*maps):
    """Several maps as one kernel parameter."""
    class Maps(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_byte * (128 * len(maps)))]
    result = Maps()
    for i, m in enumerate(maps):
        ctypes.memmove(ctypes.addressof(result) + 128 * i, ctypes.addressof(m), 128)
    return result


def tensor_map(tensor, dims, box, strides=None, swizzles=True):
    """Map over a contiguous bf16 tensor, with the 128-byte swizzle unless told otherwise; dims and box innermost first, strides in bytes of all dimensions but the first. For a kernel parameter."""
    rank = len(dims)
    raw = ctypes.create_string_buffer(128 + 64)
    address = (ctypes.addressof(raw) + 63) & ~63
    if strides is None:
        strides, at = [], 2
        for d in dims[:-1]:
            at *= d
            strides.append(at)
    u64s, u32s = lambda v: (ctypes.c_uint64 * max(len(v), 1))(*v), lambda v: (ctypes.c_uint32 * len(v))(*v)
    call("cuTensorMapEncodeTiled", ctypes.c_void_p(address), 9, rank, ctypes.c_void_p(tensor.data_ptr()), u64s(dims), u64s(strides), u32s(box), u32s([1] * rank), 0, 3 if swizzles else 0, 3, 0)
    result = MapBytes()
    ctypes.memmove(ctypes.byref(result), address, 128)
    return result


def map_on_device(tensor, dims, box, **how):
    return torch.from_numpy(np.frombuffer(bytes(tensor_map(tensor, dims, box, **how).bytes), dtype=np.uint8).copy()).to(device)


def cached(cache):
    """Keys or values [..., slots, dim] as kv_cache.cuh has them, or what it has as plain rows: it changes places."""
    dim = cache.shape[-1]
    if dim % 64:
        return cache
    slots = torch.arange(cache.shape[-2], device=cache.device)[:, None]
    places = torch.arange(dim, device=cache.device)[None] ^ slots % 8 * 8
    return cache.gather(-1, places.expand(cache.shape))


def synchronize():
    torch.cuda.synchronize()


def graph_us(launches, repeats=12, per=1):
    """Median microseconds of one of `per` launches when launches() is replayed as a CUDA graph."""
    launches()
    synchronize()
    graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
    call("cuStreamBeginCapture_v2", _stream, 2)
    launches()
    call("cuStreamEndCapture", _stream, ctypes.byref(graph))
    call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
    times = replay_us(lambda: call("cuGraphLaunch", executable, _stream), repeats)
    call("cuGraphExecDestroy", executable)
    call("cuGraphDestroy", graph)
    return times / per


def replay_us(replay, repeats):
    times = []
    for _ in range(2):
        replay()
    synchronize()
    for _ in range(repeats):
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        a.record(stream)
        replay()
        b.record(stream)
        b.synchronize()
        times.append(a.elapsed_time(b) * 1000)
    return float(np.median(times))


def torch_us(function, repeats=12, per=1):
    """The same for PyTorch's own operations."""
    with torch.cuda.stream(stream):
        function()
        function()
    synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        function()

    def replay():
        with torch.cuda.stream(stream):
            graph.replay()
    return replay_us(replay, repeats) / per


failed = []


def check(name, ok, detail=""):
    if not ok:
        failed.append(name)
    print(f"{'ok  ' if ok else 'FAIL'} {name} {detail}", flush=True)


def finish():
    print("FAILED " + ", ".join(failed) if failed else "all ok")
    sys.exit(1 if failed else 0)
