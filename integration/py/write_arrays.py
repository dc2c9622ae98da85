"""Writes random arrays of every dtype to a .safetensors file, and what NumPy says of them to stdout.

stdout: {"path", "arrays": [{key, text, values, slices: [{slice, shape, sha256, text, error}]}]}
"""

import hashlib
import json
import math
import pathlib
import sys

import numpy as np
import safetensors.torch
import torch

path = pathlib.Path(sys.argv[1]) / "arrays.safetensors"
random = np.random.default_rng(int(sys.argv[2]))
FLOATS = (np.float16, np.float32, np.float64)
INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-45, 6e-8, 1e-40, 65504.0, 1e16, 1e-4, 9.9999e-5, 1000.0, 999.5, 1e6, 999999.0, 1e8, 99999999.0]
SHAPES = [(), (1,), (5,), (0,), (0, 3), (2, 0), (3, 4), (1, 1, 1), (2, 3, 4), (7, 7, 7), (30,), (1000,), (1001,), (40, 40), (1200, 2), (2, 1200), (3, 400, 2),
          (11, 1, 101), (7, 2, 9, 11), (1, 1, 5000), (2, 2, 2, 2, 2, 2, 2, 2, 2, 2)]


def floats(dtype, shape):
    size = int(np.prod(shape))
    kind = random.integers(8)
    if kind == 0:
        values = random.integers(-2000, 2000, size).astype(np.float64)
    elif kind == 1:
        values = random.standard_normal(size)
    elif kind == 2:
        values = random.standard_normal(size) * 10.0 ** random.integers(-9, 9)
    elif kind == 3:
        values = random.standard_normal(size) * 10.0 ** random.uniform(-6, 6, size)
    elif kind == 4:
        values = np.round(random.standard_normal(size) * 100, random.integers(0, 6))
    elif kind == 5:
        values = random.choice(SPECIAL, size)
    elif kind == 6:
        values = np.where(random.random(size) < 0.2, random.choice([math.nan, math.inf, -math.inf, -0.0], size), random.standard_normal(size))
    else:  # any bits
        return random.integers(0, 256, size * np.dtype(dtype).itemsize, dtype=np.uint8).view(dtype).reshape(shape)
    with np.errstate(over="ignore"):
        return values.astype(dtype).reshape(shape)


def integers(dtype, shape):
    info = np.iinfo(dtype)
    limit = min(int(info.max), 10 ** int(random.integers(1, 20)))
    return random.integers(max(int(info.min), -limit), limit, shape, dtype=dtype, endpoint=True) if shape else np.array(random.integers(0, 100), dtype)


def name(shape):
    return "x".join(map(str, shape))


def arrays():
    """{key: (tensor, what NumPy prints)}"""
    for shape in SHAPES:
        for dtype in FLOATS:
            for i in range(6):
                a = floats(dtype, shape)
                yield f"{np.dtype(dtype)}.{name(shape)}.{i}", torch.from_numpy(a), a
        for dtype in INTEGERS:
            a = integers(dtype, shape)
            yield f"{np.dtype(dtype)}.{name(shape)}", torch.from_numpy(a), a
        a = np.array(random.random(shape) < 0.5)
        yield f"bool.{name(shape)}", torch.from_numpy(a), a
        for i in range(3):
            a = np.empty(shape, np.complex64)
            a.real, a.imag = floats(np.float32, shape), floats(np.float32, shape)
            yield f"complex64.{name(shape)}.{i}", torch.from_numpy(a), a
        for dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
            t = torch.from_numpy(floats(np.float32, shape)).to(dtype)
            yield f"{dtype}.{name(shape)}", t, t.to(torch.float32).numpy()
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for i in range(0, 1 << 16, 512):
        yield f"halves.{i}", torch.from_numpy(every[i:i + 512].copy()), every[i:i + 512]
        for k in range(8):
            yield f"half.{i + 64 * k}", torch.from_numpy(every[i + 64 * k:i + 64 * k + 1].copy()).reshape(()), every[i + 64 * k:i + 64 * k + 1].reshape(())


def part(n):
    """What can stand for an axis of n elements."""
    number = lambda: "" if random.random() < 0.4 else str(random.integers(-n - 3, n + 4))
    kind = random.integers(8)
    if kind == 0:
        return str(random.integers(-n - 1, n + 1)) if n else ":"
    if kind == 1:
        return "None"
    if kind == 2:
        return ":"
    step = "" if random.random() < 0.3 else str(random.choice([-7, -3, -2, -1, 1, 2, 3, 7, 100]))
    return f"{number()}:{number()}:{step}"


def slices(a, values):
    for _ in range(3):
        parts = [part(n) for n in a.shape[:random.integers(0, a.ndim + 1)]] or ["..."]
        if random.random() < 0.3 and "..." not in parts:
            parts.insert(random.integers(0, len(parts) + 1), "...")
        text = ", ".join(parts)
        try:
            taken = eval(f"a[{text}]")
            raw = eval(f"values[{text}]")
        except IndexError as error:
            yield {"slice": text, "error": str(error)}
            continue
        yield {"slice": text, "shape": list(taken.shape), "sha256": hashlib.sha256(np.ascontiguousarray(raw).tobytes()).hexdigest(),
               "text": str(np.array(taken))}


def plain(value):
    """A value of tolist() as wfs cat --json has it."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def main():
    tensors, said = {}, []
    for key, tensor, a in arrays():
        tensors[key] = tensor
        raw = tensor if tensor.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2) else None
        values = a if raw is None else raw.contiguous().view(torch.uint8 if raw.element_size() == 1 else torch.int16).numpy()
        said.append({"key": key, "text": str(a), "values": plain(a.tolist()) if a.size else [], "slices": list(slices(a, values))})
    safetensors.torch.save_file(tensors, path)
    json.dump({"path": str(path), "arrays": said}, sys.stdout)


main()
