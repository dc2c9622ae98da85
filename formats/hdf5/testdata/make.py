"""Writes the fixtures of this folder and expected.json: what h5py reads from them.

    .venv/keras/bin/python formats/hdf5/testdata/make.py formats/hdf5/testdata

Made with h5py 3.16 and HDF5 2.0; newer ones may choose other structures.
"""

import ctypes
import glob
import hashlib
import json
import os
import sys

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

hdf5 = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(os.path.dirname(h5py.__file__)), "h5py.libs", "libhdf5-*"))[0])
directory = sys.argv[1]
expected = {}


def call(name, *arguments):
    function = getattr(hdf5, name)
    function.restype = ctypes.c_int64
    result = function(*arguments)
    assert result >= 0, name
    return result


def ramp(shape, dtype):
    return (np.arange(np.prod(shape, dtype=int)) % 251).astype(dtype).reshape(shape)


def expect(name):
    out = expected[name] = {}
    with h5py.File(os.path.join(directory, name), "r") as f:
        def visit(path, obj):
            if not isinstance(obj, h5py.Dataset) or obj.shape is None:
                return
            refused = obj.attrs.get("refused")
            if refused is not None:
                out[path] = {"refused": refused}
                return
            if h5py.check_string_dtype(obj.dtype) and obj.dtype.kind == "O":
                values = obj.asstr()[()]
                out[path] = {"strings": [values] if obj.shape == () else list(values.reshape(-1))}
                return
            raw = obj.attrs.get("raw")
            data = np.zeros(obj.shape, np.dtype(raw) if raw else obj.dtype)
            if data.size:
                obj.id.read(h5s.ALL, h5s.ALL, data, obj.id.get_type() if raw else None)
            out[path] = {"shape": list(obj.shape), "sha256": hashlib.sha256(data.tobytes()).hexdigest()}
        f.visititems(visit)


def create(f, name, shape, dtype, maxshape=None, chunk=None, edges=False, early=False, deflate=False):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk(chunk)
    plist.set_fill_value(np.array([7], dtype))
    if deflate:
        plist.set_shuffle()
        plist.set_deflate(9)
    if early:
        plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    if edges:
        call("H5Pset_chunk_opts", ctypes.c_int64(plist.id), ctypes.c_uint(2))
    space = h5s.create_simple(shape, tuple(h5s.UNLIMITED if n is None else n for n in maxshape or shape))
    return h5py.Dataset(h5d.create(f.id, name.encode(), h5t.py_create(np.dtype(dtype)), space, plist))


def common(f):
    """What every version of the format can hold."""
    for dtype in ["<f4", ">f4", "<f2", ">f8", "<i8", ">u2", "?", "<c8", ">c16", "S5", "V2"]:
        name = dtype.replace("<", "little ").replace(">", "big ").replace("?", "bool")
        f.create_dataset("types/" + name, data=np.frombuffer(ramp((6 * np.dtype(dtype).itemsize,), "u1").tobytes(), "u1").view("u1").astype("u1").view(dtype if dtype != "?" else "u1").reshape(2, 3) if dtype != "?" else ramp((2, 3), "u1") % 2 == 1)
    f["types/scalar"] = np.float32(1.5)
    f["types/empty"] = np.zeros((0, 3), "<f4")
    f["types/null"] = h5py.Empty("<f4")
    f["types/array"] = np.zeros(2, [("x", "<f4")])
    f["types/array"].attrs["refused"] = "compound type {x}"
    f.create_dataset("types/variable", data=["α", "", "dense/kernel:0"], dtype=h5py.string_dtype())
    x = ramp((20, 30), "<f4")
    g = f.create_group("chunked")
    for name, options in {
        "plain": {}, "gzip": {"compression": "gzip"}, "lzf": {"compression": "lzf"},
        "all": {"compression": "gzip", "shuffle": True, "fletcher32": True},
        "lzf all": {"compression": "lzf", "shuffle": True, "fletcher32": True},
        "sum": {"fletcher32": True}, "one": {"compression": "gzip", "chunks": (20, 30)},
        "endless": {"maxshape": (None, 30), "compression": "gzip"}, "endless too": {"maxshape": (20, None)},
        "both": {"maxshape": (None, None), "shuffle": True}, "room": {"maxshape": (50, 60)},
    }.items():
        g.create_dataset(name, data=x, **dict({"chunks": (7, 8)}, **options))
    g.create_dataset("shuffled doubles", data=ramp((100,), ">f8"), chunks=(33,), shuffle=True)
    g.create_dataset("shuffled halves", data=ramp((100,), "<f2"), chunks=(33,), shuffle=True)
    d = g.create_dataset("holes", (20, 30), "<i4", chunks=(7, 8), fillvalue=-3)
    d[8:12, 9:20] = 1
    g.create_dataset("never", (20, 30), ">f4", chunks=(7, 8), fillvalue=0.5)
    f.create_dataset("late", (9,), ">i4", fillvalue=5)
    d = g.create_dataset("shrunk", data=x, chunks=(4, 4), maxshape=(None, None))
    d.resize((9, 9))
    g.create_dataset("many", data=ramp((40, 40), "u1"), chunks=(3, 4))
    g.create_dataset("scaled", data=ramp((40,), "<i4"), chunks=(10,), scaleoffset=0)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_layout(h5d.COMPACT)
    h5d.create(f.id, b"compact", h5t.IEEE_F32LE, h5s.create_simple((5,)), plist).write(h5s.ALL, h5s.ALL, ramp((5,), "<f4"))
    f.create_dataset("elsewhere", (4,), "<f4", external=[("outside.bin", 0, 16)]).attrs["refused"] = "its data lie in external files: outside.bin"
    f["link"] = h5py.SoftLink("/chunked/gzip")
    f["dangling"] = h5py.SoftLink("/nowhere")
    f["foreign"] = h5py.ExternalLink("other.h5", "/x")
    f["hard"] = f["chunked/all"]
    f["loop"] = h5py.SoftLink("/loop")
    f["cycle"] = f["/"]
    big = f.create_group("big")
    for i in range(24):
        big["link %02d" % i] = f["compact"]
        big.attrs["attribute %02d" % i] = i
    f.attrs["names"] = ["one", "two"]
    f.attrs["fixed"] = np.array([b"one", b"three"])
    f.attrs["pi"] = np.array([3.25, -1], ">f8")
    f.attrs["yes"] = True
    f.attrs["nothing"] = h5py.Empty("<f4")


def special(f):
    """What only the latest version holds."""
    x = ramp((20, 30), "<f4")
    create(f, "implicit", (20, 30), "<f4", chunk=(7, 8), early=True)[:] = x
    create(f, "edges", (20, 30), "<f4", chunk=(7, 8), edges=True, deflate=True)[:] = x
    create(f, "paged fixed", (1100,), "i1", chunk=(1,))[1050] = 1
    create(f, "paged fixed gzip", (1100,), "i1", chunk=(1,), deflate=True)[10:20] = 1
    d = create(f, "paged endless", (200000,), "i1", maxshape=(None,), chunk=(1,))
    d[[0, 5, 100, 3000, 140000]] = [1, 2, 3, 4, 5]
    create(f, "deep", (40, 40), "i1", maxshape=(None, None), chunk=(2, 2))[:] = ramp((40, 40), "i1")
    layout = h5py.VirtualLayout(shape=(4,), dtype="<f4")
    layout[:] = h5py.VirtualSource("source.h5", "x", shape=(4,))
    f.create_virtual_dataset("virtual", layout).attrs["refused"] = "virtual dataset reads other files: source.h5"
    f.attrs["huge"] = np.arange(8192) * 0.5
    half = h5t.IEEE_F16LE.copy()
    half.set_fields(15, 7, 8, 0, 7)
    half.set_ebias(127)
    d = h5py.Dataset(h5d.create(f.id, b"bfloat16", half, h5s.create_simple((5,))))
    d.id.write(h5s.ALL, h5s.ALL, ramp((5,), "<u2"), half)
    d.attrs["raw"] = "<u2"
    t = h5t.TypeID(call("H5Tcomplex_create", ctypes.c_int64(h5t.IEEE_F32LE.id)))
    d = h5py.Dataset(h5d.create(f.id, b"complex", t, h5s.create_simple((3,))))
    d.id.write(h5s.ALL, h5s.ALL, np.arange(3).astype("<c8"), t)
    d.attrs["raw"] = "<c8"


def write(name, fill, libver, userblock=None, shared=False):
    fcpl = h5p.create(h5p.FILE_CREATE)
    if userblock:
        fcpl.set_userblock(userblock)
        call("H5Pset_istore_k", ctypes.c_int64(fcpl.id), ctypes.c_uint(3))  # small nodes, and superblock version 1
        call("H5Pset_sym_k", ctypes.c_int64(fcpl.id), ctypes.c_uint(2), ctypes.c_uint(2))
    if shared:
        call("H5Pset_shared_mesg_nindexes", ctypes.c_int64(fcpl.id), ctypes.c_uint(1))
        call("H5Pset_shared_mesg_index", ctypes.c_int64(fcpl.id), ctypes.c_uint(0), ctypes.c_uint(0x08 | 0x20 | 0x800), ctypes.c_uint(10))
    fapl = h5p.create(h5p.FILE_ACCESS)
    fapl.set_libver_bounds(*libver)
    with h5py.File(h5py.h5f.create(os.path.join(directory, name).encode(), h5py.h5f.ACC_TRUNC, fcpl, fapl)) as f:
        fill(f)
    expect(name)


def seed(version):
    """A small file for the fuzzer: a little of all."""
    def fill(f):
        x = ramp((5, 6), "<f4")
        f.create_dataset("plain", data=x, chunks=(3, 4), compression="gzip", shuffle=True, fletcher32=True)
        if version > 0:
            f.create_dataset("endless", data=x, chunks=(3, 4), maxshape=(None, 6))
            f.create_dataset("both", data=x, chunks=(3, 4), maxshape=(None, None), compression="lzf")
            f.create_dataset("one", data=x, chunks=(5, 6), compression="gzip")
            g = f.create_group("big", track_order=True)
            for i in range(9):
                g["link%d" % i] = h5py.SoftLink("../one")
                g.attrs["a%d" % i] = i
        f.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())
        f["soft"] = h5py.SoftLink("/plain")
        f.attrs["t"] = "text"
    return fill


V = h5py.h5f
write("earliest.h5", common, (V.LIBVER_EARLIEST, V.LIBVER_V18), userblock=512)
write("v110.h5", common, (V.LIBVER_V110, V.LIBVER_V110), shared=True)
write("latest.h5", common, (V.LIBVER_LATEST, V.LIBVER_LATEST))
write("special.h5", special, (V.LIBVER_LATEST, V.LIBVER_LATEST))
write("seed-old.h5", seed(0), (V.LIBVER_EARLIEST, V.LIBVER_V18), userblock=512)
write("seed-new.h5", seed(1), (V.LIBVER_LATEST, V.LIBVER_LATEST))
with open(os.path.join(directory, "expected.json"), "w") as f:
    json.dump(expected, f, indent=1, sort_keys=True)
