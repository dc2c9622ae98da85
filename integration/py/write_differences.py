"""Writes two models and what differs between their tensors, by NumPy and torch. Prints {"a", "b", "atol", "rtol", "tensors": {key: …}}."""

import json
import pathlib
import sys

import numpy
import safetensors.torch
import torch

import differences

out = pathlib.Path(sys.argv[1])
ATOL, RTOL = 1e-3, 1e-2


def array(t):
    """A tensor as NumPy holds it; bfloat16 and float8 as exact float32."""
    return t.float().numpy() if t.dtype in SMALL else t.numpy()


SMALL = {torch.bfloat16: torch.int16, torch.float8_e4m3fn: torch.int8, torch.float8_e5m2: torch.int8}


def distance(a, b):
    """The largest distance in numbers of a dtype that NumPy does not have: their bits are sign and magnitude."""
    bits = [t.contiguous().view(SMALL[t.dtype]).long() for t in (a, b)]
    top = 1 << (8 * a.element_size() - 1)
    order = [torch.where(v < 0, -(v & (top - 1)), v) for v in bits]
    finite = a.float().isfinite() & b.float().isfinite()
    return int((order[0] - order[1]).abs()[finite].max())


def special(t):
    """Puts NaNs, infinities and zeros among numbers."""
    t.view(-1)[:8] = torch.tensor([float("nan"), float("inf"), float("-inf"), 0, -0.0, 1, float("nan"), float("inf")]).to(t.dtype)
    return t


def changed(t, scale=1e-2):
    """Another tensor: most numbers a bit off, the first with NaNs and infinities in other places."""
    other = (t.double() * (1 + scale * torch.randn(t.shape, dtype=torch.float64))).to(t.dtype)
    other.view(-1)[:8] = torch.tensor([float("nan"), float("-inf"), float("-inf"), -0.0, 0, float("nan"), 2, float("inf")]).to(t.dtype)
    return other


def pairs():
    floats = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
    for name, dtype in floats.items():
        t = torch.randn(33, 17).to(dtype)
        if name == "e4m3":  # which has no infinity
            yield name, t, (t.float() * 1.1).to(dtype)
        else:
            yield name, special(t.clone()), changed(t, 0.3 if name == "e5m2" else 1e-2)
    a = torch.randn(1500, 1024)  # several blocks, of which one differs
    b = a.clone()
    b[1200, 7] += 0.5
    b[3, 3] = float("nan")
    yield "large.few", a, b
    yield "large.all", a, a * 1.001
    yield "large.close", a, a * 1.00001
    yield "large.bf16", a.bfloat16(), (a * 1.01).bfloat16()
    yield "mixed.bf16.f32", a[:50].bfloat16(), a[:50].clone()
    yield "mixed.f16.exact", a[:9].half(), a[:9].half().float()
    yield "mixed.f32.f64", a[:50].clone(), a[:50].double() + 1e-9
    yield "mixed.i32.f32", torch.arange(12, dtype=torch.int32), torch.arange(12).float() + 0.25
    whole = {"i8": torch.int8, "u8": torch.uint8, "i16": torch.int16, "i32": torch.int32, "i64": torch.int64}
    for name, dtype in whole.items():
        low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
        t = torch.randint(max(low, -2**62), min(high, 2**62), (301,), dtype=dtype)
        t[:3] = torch.tensor([low, high, 0], dtype=dtype)
        other = t.flip(0).clone()
        other[:3] = torch.tensor([high, low, 0], dtype=dtype)
        yield name, t, other
    for name, dtype in {"u16": torch.uint16, "u32": torch.uint32, "u64": torch.uint64}.items():
        yield name, torch.tensor([0, 5, 2**16 - 1], dtype=torch.int64).to(dtype), torch.tensor([7, 5, 0], dtype=torch.int64).to(dtype)
    top = torch.tensor([-1, 3, -1], dtype=torch.int64).view(torch.uint64)
    yield "u64.top", top, torch.tensor([1, 3, -1], dtype=torch.int64).view(torch.uint64)
    yield "mixed.u64.i64", top, torch.tensor([-1, 3, -2**63], dtype=torch.int64)
    yield "bool", torch.tensor([True, False, True, True]), torch.tensor([True, True, False, True])
    z = torch.randn(40, dtype=torch.complex64)
    w = z * (1 + 1e-3j)
    w[3] = complex("nan+infj")
    w[5] = complex("inf+1j")
    z[5] = complex("inf+1j")
    yield "c64", z, w
    yield "c128", z.to(torch.complex128)[10:], w.to(torch.complex128)[10:]
    yield "scalar", torch.tensor(1.0), torch.tensor(-1.0)
    yield "opposite", torch.tensor([1e38, -1e38]), torch.tensor([-1e38, 1e38])
    yield "zeros", torch.zeros(5), torch.ones(5)
    yield "extreme", torch.tensor([1.7e308, 5e-324], dtype=torch.float64), torch.tensor([1.6e308, 0], dtype=torch.float64)


def main():
    torch.manual_seed(11)
    a, b, tensors = {}, {}, {}
    for key, x, y in pairs():
        a[key], b[key] = x, y
        ulp = None
        if key == "opposite":  # nulp_diff wraps around
            ulp = 2 * int(numpy.float32(1e38).view(numpy.int32))
        if x.dtype in SMALL:
            ulp = distance(x, y) if x.dtype == y.dtype else None
        with numpy.errstate(all="ignore"):
            tensors[key] = differences.values(array(x), array(y), ulp, ATOL, RTOL)
        if x.dtype in SMALL and ulp is None or x.is_complex():
            tensors[key].pop("max_ulp", None)
    same = {"same.w": torch.randn(70, 3), "same.nan": torch.tensor([float("nan"), 1]), "same.empty": torch.zeros(0, 3)}
    a |= same | {"gone": torch.ones(3), "old.name": torch.arange(9), "shape": torch.ones(2, 6)}
    b |= same | {"extra": torch.ones(4), "new.name": torch.arange(9), "shape": torch.ones(6, 2)}
    torch.save({"state_dict": a, "epoch": 1}, out / "a.pt")
    torch.save(dict(reversed(b.items())), out / "b.bin")
    prefixed = {"module." + key: t.clone() for key, t in a.items() if t.dtype != torch.complex128}
    safetensors.torch.save_file(prefixed, out / "prefixed.safetensors")
    json.dump({"a": str(out / "a.pt"), "b": str(out / "b.bin"), "prefixed": str(out / "prefixed.safetensors"), "atol": ATOL, "rtol": RTOL, "tensors": tensors,
               "mixed": sum(x.dtype != y.dtype for _, x, y in pairs()), "same": len(same)}, sys.stdout)


main()
