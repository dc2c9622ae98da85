"""Writes datasets whose chunks went through filters in every order, and what h5py reads from them.

    .venv/keras/bin/python formats/hdf5/testdata/make_filters.py OUT [SEED COUNT]

OUT gets filters.h5 and filters.json. Without SEED and COUNT it is the fixture of this folder.
"""

import ctypes
import glob
import hashlib
import json
import os
import sys
import zlib

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

out = sys.argv[1]
seed, count = (int(a) for a in sys.argv[2:4]) if len(sys.argv) > 2 else (17, 14)
random = np.random.default_rng(seed)
hdf5 = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(os.path.dirname(h5py.__file__)), "h5py.libs", "libhdf5-*"))[0])
LZF, EC, NN = 32000, 4, 32
expected = {}


def szip(plist):
    plist.set_szip(int(random.choice([EC, NN])), int(random.choice([2, 8, 10, 16, 32])))


FILTERS = {
    "deflate": lambda p: p.set_deflate(int(random.integers(0, 10))),
    "shuffle": lambda p: p.set_shuffle(),
    "fletcher32": lambda p: p.set_fletcher32(),
    "lzf": lambda p: p.set_filter(LZF, h5z.FLAG_OPTIONAL, ()),
    "szip": szip,
    "nbit": lambda p: p.set_filter(h5z.FILTER_NBIT, h5z.FLAG_OPTIONAL, ()),
    "scaleint": lambda p: p.set_scaleoffset(h5z.SO_INT, int(random.choice([0, 0, 0, 5, 12]))),
    "scalefloat": lambda p: p.set_scaleoffset(h5z.SO_FLOAT_DSCALE, int(random.integers(-2, 9))),
}


def sound(names):
    """Without the filters that take the chunk's own size for granted after one that changes it: libhdf5 crashes."""
    kept, changed = [], False
    for n in names:
        exact = n in ("nbit", "scaleint", "scalefloat")
        if not exact or not changed:
            kept.append(n)
        changed = changed or n != "shuffle"
    return kept


def values(dtype, shape):
    n = int(np.prod(shape))
    kind = random.integers(0, 4)
    if dtype.kind == "f":
        data = [random.normal(size=n) * 100, np.linspace(-3, 7, n), np.zeros(n), np.round(random.normal(size=n), 1)][kind]
    else:
        high = 1 << min(int(random.integers(1, 8 * dtype.itemsize)), 62)
        low = -high if dtype.kind == "i" else 0
        low, high = max(low, -(1 << 8 * dtype.itemsize - 1)), min(high, (1 << 8 * dtype.itemsize - 1) - 1)
        data = [random.integers(low, high + 1, n), np.arange(n) % (high + 1), np.full(n, high), np.where(random.random(n) < 0.9, 0, high)][kind]
    return data.astype(dtype).reshape(shape)


def narrow(t):
    """A type with bits that mean nothing."""
    bits = 8 * t.get_size()
    precision = int(random.integers(1, bits + 1))
    t.set_precision(precision)
    t.set_offset(int(random.integers(0, bits - precision + 1)))
    return t


def dataset(f, name, names, dtype, chunk, shape, bits=False, fill=None, masks=False):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk(chunk)
    for n in names:
        FILTERS[n](plist)
    if fill == "none":
        hdf5.H5Pset_fill_value(ctypes.c_int64(plist.id), ctypes.c_int64(-1), None)
    elif fill is not None:
        plist.set_fill_value(np.array(fill, dtype))
    t = h5t.py_create(dtype)
    if bits:
        t = narrow(t.copy())
    d = h5d.create(f.id, name.encode(), t, h5s.create_simple(shape, tuple(h5s.UNLIMITED if random.random() < 0.2 else n for n in shape)), plist)
    data = values(dtype, shape)
    if fill not in (None, "none"):
        data[random.random(shape) < 0.2] = fill
    d.write(h5s.ALL, h5s.ALL, data, t if random.random() < 0.5 and not bits else h5t.py_create(dtype.newbyteorder("=")) if bits else None)
    return data


def attempt(path, *arguments):
    """Writes one dataset in a process of its own: libhdf5 does not survive all of them."""
    child = os.fork()
    if child == 0:
        try:
            with h5py.File(path, "w", libver=libver) as f:
                data = dataset(f, *arguments)
            with h5py.File(path, "r") as f:
                found = f[arguments[0]][()]
            # Or libhdf5 does not read what it was given to write: an idle nbit filter after shuffle.
            os._exit(int(not (any(n.startswith("scale") for n in arguments[1]) or arguments[5] or np.array_equal(data, found))))
        except OSError as error:
            os._exit(2 if "read" in str(error) else 1)
        except (ValueError, TypeError, RuntimeError):
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def special(f):
    """What chance does not bring: types of several numbers, masks, a filter that nobody has."""
    ten = h5t.STD_I16BE.copy()
    ten.set_precision(10)
    ten.set_offset(3)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((4,))
    plist.set_filter(h5z.FILTER_NBIT, 0, ())
    t = h5t.array_create(ten, (2, 3))
    x = np.arange(-27, 27, dtype="<i2").reshape(9, 2, 3)
    h5d.create(f.id, b"array nbit", t, h5s.create_simple((9,)), plist).write(h5s.ALL, h5s.ALL, x, h5t.array_create(h5t.STD_I16LE, (2, 3)))
    nan = np.array([complex(i, -i / 3) for i in range(9)], "<c8")
    h5d.create(f.id, b"complex nbit", h5t.py_create(nan.dtype), h5s.create_simple((9,)), plist).write(h5s.ALL, h5s.ALL, nan)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((4,))
    plist.set_filter(32015, h5z.FLAG_OPTIONAL, (3,))
    plist.set_deflate(3)
    h5d.create(f.id, b"zstd left out", h5t.STD_I16LE, h5s.create_simple((9,)), plist).write(h5s.ALL, h5s.ALL, np.arange(9, dtype="<i2"))
    d = f.create_dataset("masks", (16,), "<i4", chunks=(4,), shuffle=True, compression=5)
    for mask in range(4):
        b = np.arange(4 * mask, 4 * mask + 4, dtype="<i4").tobytes()
        if not mask & 1:
            b = bytes(b[4 * i + j] for j in range(4) for i in range(4))
        if not mask & 2:
            b = zlib.compress(b)
        d.id.write_direct_chunk((4 * mask,), b, mask)


libver = ("latest", "earliest", "v110")[seed % 3] if count > 60 else "latest"
null = os.open(os.devnull, os.O_WRONLY)
one = os.path.join(out, "one.h5")
with h5py.File(os.path.join(out, "filters.h5"), "w", libver=libver) as f:
    special(f)
    i = 0
    while i < count:
        dtype = np.dtype(str(random.choice(["<i1", "<u1", "<i2", ">i2", "<u2", "<i4", ">i4", ">u4", "<i8", ">u8", "<f4", ">f4", "<f8", ">f8", "<f2"])))
        pool = ["deflate", "shuffle", "fletcher32", "lzf", "szip", "nbit", "scalefloat" if dtype.kind == "f" else "scaleint"]
        names = sound([str(n) for n in random.choice(pool, int(random.integers(1, 5)))])
        shape = tuple(int(n) for n in random.integers(1, 40, int(random.integers(1, 3))))
        chunk = tuple(max(1, int(n * random.random() + 0.5)) for n in shape)
        name = "%03d %s %s" % (i, dtype.str.replace("<", "little ").replace(">", "big ").replace("|", ""), " ".join(names))
        fill = [None, "none", 3][random.integers(0, 3)]
        bits = dtype.kind != "f" and random.random() < 0.4
        random = np.random.default_rng(random.integers(1 << 40))  # the child draws too
        if attempt(one, name, names, dtype, chunk, shape, bits, fill):
            i += 1
            with h5py.File(one, "r") as source:
                source.copy(name, f, name)
os.remove(one)
with h5py.File(os.path.join(out, "filters.h5"), "r") as f:
    for name, d in f.items():
        try:
            x = d[()]
            x = x.astype(x.dtype.newbyteorder("<"))
            expected[name] = {"shape": x.shape, "sha256": hashlib.sha256(x.tobytes()).hexdigest(), "dtype": x.dtype.str}
        except OSError as error:
            expected[name] = {"unreadable": str(error)[:80]}
with open(os.path.join(out, "filters.json"), "w") as f:
    json.dump(expected, f, indent=1, sort_keys=True)
print(len(expected), "datasets,", sum("unreadable" in e for e in expected.values()), "unreadable")
