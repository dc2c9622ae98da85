"""Writes random HDF5 files and what h5py reads from them.

    hdf5_random.py DIRECTORY COUNT SEED

makes COUNT files in DIRECTORY and prints a JSON list with an object for each: its
name, and for every object the path, shape, dtype and the SHA-256 of the values in C order, little
endian. Whatever a format writer may choose is chosen at random: library versions,
layouts, chunk indexes, filters, types, byte orders, shapes, fill values, what is
written and what is not, numbers of links and attributes.
"""

import ctypes
import glob
import hashlib
import json
import os
import random
import sys

import h5py
import numpy as np
from h5py import h5d, h5f, h5g, h5p, h5s, h5t

LIBVER = [("earliest", "v108"), ("v108", "v108"), ("v110", "v110"), ("v112", "v112"), ("v114", "v114"), ("latest", "latest")]

# What h5py has no name for is called in the library that it brings along.
libraries = glob.glob(os.path.join(os.path.dirname(os.path.dirname(h5py.__file__)), "h5py.libs", "libhdf5-*"))
hdf5 = ctypes.CDLL(libraries[0]) if libraries else None


def call(name, *arguments):
    function = getattr(hdf5, name)
    function.restype = ctypes.c_int64 if name.startswith("H5T") else ctypes.c_int
    result = function(*arguments)
    if result < 0:
        raise RuntimeError(name)
    return result


def bfloat16(order):
    t = (h5t.IEEE_F16LE if order == "<" else h5t.IEEE_F16BE).copy()
    t.set_fields(15, 7, 8, 0, 7)
    t.set_ebias(127)
    return t


def float8(exponent):
    t = h5t.IEEE_F16LE.copy()
    t.set_fields(7, 7 - exponent, exponent, 0, 7 - exponent)
    t.set_ebias(2 ** (exponent - 1) - 1)
    t.set_precision(8)
    t.set_size(1)
    return t


def native_complex(size, order):
    base = {8: h5t.IEEE_F32LE, 16: h5t.IEEE_F64LE}[size] if order == "<" else {8: h5t.IEEE_F32BE, 16: h5t.IEEE_F64BE}[size]
    return h5t.TypeID(call("H5Tcomplex_create", ctypes.c_int64(base.id)))


class Writer:
    def __init__(self, path, rng):
        self.rng = rng
        self.nprng = np.random.default_rng(rng.getrandbits(32))
        self.path = path
        self.expected = {}

    def run(self, sparse=False):
        rng = self.rng
        libver = LIBVER[-1] if sparse else rng.choice(LIBVER)
        keywords = {"libver": libver}
        if rng.random() < 0.2:
            keywords["userblock_size"] = rng.choice([512, 1024, 2048, 8192])
        if rng.random() < 0.25:
            keywords["track_order"] = True
        fcpl = h5p.create(h5p.FILE_CREATE)
        if "userblock_size" in keywords:
            fcpl.set_userblock(keywords["userblock_size"])
        if rng.random() < 0.2 and not sparse:
            fcpl.set_sizes(rng.choice([4, 8]), rng.choice([4, 8]))
        if hdf5 and rng.random() < 0.2:
            call("H5Pset_sym_k", ctypes.c_int64(fcpl.id), ctypes.c_uint(rng.choice([2, 8, 64])), ctypes.c_uint(rng.choice([2, 8, 64])))
        if keywords.get("track_order"):
            fcpl.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
            fcpl.set_attr_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
        if libver[0] != "earliest" and hdf5 and rng.random() < 0.25:
            # Shared messages: dataspaces, datatypes, fill values, pipelines, attributes.
            call("H5Pset_shared_mesg_nindexes", ctypes.c_int64(fcpl.id), ctypes.c_uint(1))
            kinds = rng.choice([0x02, 0x08, 0x1000, 0x02 | 0x08 | 0x20 | 0x800, 0x02 | 0x08 | 0x20 | 0x800 | 0x1000])
            call("H5Pset_shared_mesg_index", ctypes.c_int64(fcpl.id), ctypes.c_uint(0), ctypes.c_uint(kinds), ctypes.c_uint(rng.choice([1, 20, 50])))
            call("H5Pset_shared_mesg_phase_change", ctypes.c_int64(fcpl.id), ctypes.c_uint(5), ctypes.c_uint(3))
        fapl = h5p.create(h5p.FILE_ACCESS)
        bounds = {"earliest": h5f.LIBVER_EARLIEST, "v108": h5f.LIBVER_V18, "v110": h5f.LIBVER_V110, "v112": h5f.LIBVER_V112, "v114": h5f.LIBVER_V114, "latest": h5f.LIBVER_LATEST}
        fapl.set_libver_bounds(bounds[libver[0]], bounds[libver[1]])
        fapl.set_fclose_degree(h5f.CLOSE_STRONG)
        fid = h5f.create(self.path.encode(), h5f.ACC_TRUNC, fcpl, fapl)
        self.file = h5py.File(fid)
        self.libver = libver
        self.committed = None
        if rng.random() < 0.2:
            self.file["a type"] = np.dtype("<f4")
            self.committed = self.file["a type"]
            self.expected["a type"] = {"kind": "datatype"}
        self.group(self.file, "", 0)
        if sparse:
            self.sparse()
        self.attributes(self.file, "")
        self.file.close()
        self.reread()
        if "userblock_size" in keywords and rng.random() < 0.5:
            with open(self.path, "r+b") as f:
                f.write(bytes(rng.getrandbits(8) for _ in range(64)))

    def reread(self):
        """What h5py reads of the finished file is what counts: after write_direct_chunk the
        library that wrote goes by a filter mask that a dataset of one chunk has in memory
        alone."""
        with h5py.File(self.path, "r") as self.file:
            for path, known in list(self.expected.items()):
                # Types that NumPy lacks were read by their own memory types.
                if known.get("kind") != "dataset" or "sha256" not in known or known["dtype"].startswith(("bf", "f8e", "c")):
                    continue
                try:
                    self.read(None, path)
                    known["sha256"] = self.expected[path]["sha256"]
                except KeyError:  # h5py does not open some that it wrote: what it read then counts
                    pass
                self.expected[path] = known

    def sparse(self):
        """A fixed array, each chunk of which lies in a page of its own."""
        self.file.create_dataset("sparse index", data=self.values(np.dtype("i1"), (4000, 1)), chunks=(1, 1), maxshape=(4000, 1024))
        self.read("sparse index", "sparse index")

    def name(self, taken):
        while True:
            n = self.rng.choice(["kernel:0", "bias", "weight", "layer", "x" * self.rng.randint(1, 300), "ünï", "0", "a b", "dense_%d" % self.rng.randint(0, 99)])
            if self.rng.random() < 0.5:
                n += str(self.rng.randint(0, 10**self.rng.randint(1, 6)))
            if n not in taken:
                return n

    def group(self, group, prefix, depth):
        rng = self.rng
        count = rng.choice([0, 1, 2, 3, 4, 6, 9, 12])
        many = 0
        if depth == 0:
            count = rng.randint(1, 12)
            many = rng.choice([0] * 12 + [60, 300, 1200, 5000])
        for _ in range(count):
            name = self.name(group)
            path = prefix + name
            kind = rng.random()
            if kind < 0.15 and depth < 4:
                sub = group.create_group(name, track_order=rng.random() < 0.2)
                self.expected[path] = {"kind": "group"}
                self.attributes(sub, path)
                self.group(sub, path + "/", depth + 1)
            elif kind < 0.22:
                targets = [p for p, e in self.expected.items() if e["kind"] == "dataset" and "alias" not in e]
                if targets:
                    target = rng.choice(targets)
                    if rng.random() < 0.5:
                        group[name] = self.file[target]
                    else:
                        group[name] = h5py.SoftLink("/" + target)
                    self.expected[path] = dict(self.expected[target], alias=target)
            elif kind < 0.25:
                group[name] = h5py.SoftLink("nowhere/at all")
                self.expected[path] = {"kind": "unreachable", "reason": "no such object"}
            elif kind < 0.28:
                group[name] = h5py.ExternalLink("other.h5", "/x")
                self.expected[path] = {"kind": "unreachable", "reason": "other.h5"}
            else:
                self.dataset(group, name, path)
        for i in range(many):
            name = "many_%d" % i
            if i % 100 == 0:
                group.create_dataset(name, data=np.arange(i % 7, dtype="<i2"))
                self.read(name, prefix + name)
            else:
                group[name] = h5py.SoftLink("/nowhere")
                self.expected[prefix + name] = {"kind": "unreachable", "reason": "no such object"}

    def dtype(self):
        """A NumPy dtype to make values of, and the type of the file if it is another."""
        rng = self.rng
        order = rng.choice("<<>")
        kind = rng.random()
        if kind < 0.35:
            return np.dtype(order + rng.choice(["f2", "f4", "f4", "f8"])), None
        if kind < 0.65:
            return np.dtype(order + rng.choice("iu") + rng.choice("1248")), None
        if kind < 0.70:
            return np.dtype(bool), None
        if kind < 0.76:
            return np.dtype(order + rng.choice(["c8", "c16"])), None
        if kind < 0.79:
            return np.dtype("S%d" % rng.randint(1, 40)), None
        if kind < 0.83:
            return np.dtype("V%d" % rng.choice([1, 2, 2, 3, 8])), None
        if kind < 0.87:
            return np.dtype((order + "f4", (rng.randint(1, 4), rng.randint(1, 4)))), None
        if kind < 0.90:
            return h5py.enum_dtype({"A": 1, "B": 2, "FALSE": 0}, basetype=order + "i2"), None
        if kind < 0.93:
            return np.dtype("<u2"), ("bfloat16", order)
        if kind < 0.96:
            return np.dtype("<u1"), ("float8", rng.choice([4, 5]))
        if kind < 0.98 and self.libver[0] == "latest" and hdf5:
            return np.dtype(order + rng.choice(["c8", "c16"])), ("complex", order)
        return np.dtype(order + "f4"), None

    def file_type(self, dtype, special):
        if special is None:
            return h5t.py_create(dtype, logical=True)
        if special[0] == "bfloat16":
            return bfloat16(special[1])
        if special[0] == "float8":
            return float8(special[1])
        return native_complex(dtype.itemsize, special[1])

    def values(self, dtype, shape):
        base, extra = (dtype.subdtype or (dtype, ()))
        n = int(np.prod(shape + extra, dtype=np.int64))
        if dtype == bool:
            return self.nprng.integers(0, 2, n).astype(bool).reshape(shape)
        style = self.rng.random()
        if style < 0.3:
            raw = self.nprng.integers(0, 256, n * base.itemsize, dtype="u1")
        elif style < 0.6:
            raw = np.repeat(self.nprng.integers(0, 256, n * base.itemsize // 16 + 1, dtype="u1"), 16)[: n * base.itemsize]
        elif base.kind == "f":
            raw = np.frombuffer((self.nprng.standard_normal(n) * 0.02).astype(base).tobytes(), "u1")
        else:
            raw = np.frombuffer(np.resize(self.nprng.integers(0, 256, 97, dtype="u1"), n * base.itemsize).tobytes(), "u1")
        return raw.view(base).reshape(shape + extra) if n else np.zeros(shape + extra, base)

    def dataset(self, group, name, path):
        rng = self.rng
        kind = rng.random()
        if kind < 0.03:
            group[name] = h5py.Empty("f4")
            return self.read(name, path)
        if kind < 0.08:
            return self.strings(group, name, path)
        if kind < 0.11:
            return self.refused(group, name, path)
        dtype, special = self.dtype()
        if special is None and self.committed is not None and rng.random() < 0.1:
            group.create_dataset(name, data=self.nprng.standard_normal((3, 2)), dtype=self.committed)
            return self.read(name, path)
        rank = rng.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5])
        limit = rng.choice([200, 2000, 20000, 60000])
        shape = []
        left = limit
        for _ in range(rank):
            n = rng.randint(0 if rng.random() < 0.05 else 1, max(1, min(left, rng.choice([3, 10, 60, 300, 3000, 20000]))))
            shape.append(n)
            left = max(1, left // max(1, n))
        shape = tuple(shape)
        plist = h5p.create(h5p.DATASET_CREATE)
        if rng.random() < 0.3 and dtype.subdtype is None and special is None and dtype.kind in "iuf":
            plist.set_fill_value(self.values(dtype.newbyteorder("="), (1,)))
        if rng.random() < 0.1:
            plist.set_fill_time(rng.choice([h5d.FILL_TIME_ALLOC, h5d.FILL_TIME_IFSET]))
        maxshape = shape
        layout = rng.choice(["contiguous", "contiguous", "compact", "chunked", "chunked", "chunked", "chunked", "chunked"])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if rank == 0 and layout == "chunked":
            layout = "contiguous"
        if layout == "compact" and size > 60000:
            layout = "contiguous"
        late = rng.random() < 0.1
        if layout == "compact":
            plist.set_layout(h5d.COMPACT)
        elif layout == "contiguous":
            plist.set_layout(h5d.CONTIGUOUS)
            plist.set_alloc_time(h5d.ALLOC_TIME_LATE if late else h5d.ALLOC_TIME_EARLY)
        else:
            chunk = []
            for n in shape:
                chunk.append(rng.choice([max(1, n), rng.randint(1, max(1, n)), rng.randint(1, max(1, min(n, 7)))]))
            while np.prod([-(-n // c) for n, c in zip(shape, chunk)], dtype=np.int64) > 6000:
                i = rng.randrange(rank)
                chunk[i] = max(1, min(shape[i], chunk[i] * 2))
            plist.set_chunk(tuple(chunk))
            growth = rng.random()
            maxshape = list(shape)
            if growth < 0.25:
                maxshape[rng.randrange(rank)] = None
            elif growth < 0.4:
                maxshape = [None if rng.random() < 0.7 else n for n in shape]
            elif growth < 0.55:
                maxshape = [n + rng.randint(0, 40) for n in shape]
                if np.prod([-(-m // c) for m, c in zip(maxshape, chunk)], dtype=np.int64) > 2_000_000:
                    maxshape = list(shape)  # an index has an entry for each of them, and would fill the disk
            if not (growth < 0.4):
                maxshape = [max(m, c) if m is not None else None for m, c in zip(maxshape, chunk)]
            maxshape = tuple(maxshape)
            if rng.random() < 0.2:
                plist.set_alloc_time(rng.choice([h5d.ALLOC_TIME_EARLY, h5d.ALLOC_TIME_LATE, h5d.ALLOC_TIME_INCR]))
            filters = rng.random()
            if filters > 0.25:
                self.pipeline(plist, dtype)
            if hdf5 and self.libver[0] not in ("earliest", "v108") and rng.random() < 0.25:
                call("H5Pset_chunk_opts", ctypes.c_int64(plist.id), ctypes.c_uint(2))
        space = h5s.create(h5s.SCALAR) if rank == 0 else h5s.create_simple(shape, tuple(h5s.UNLIMITED if n is None else n for n in maxshape))
        file_type = self.file_type(dtype, special)
        if special is None and dtype.subdtype is None and rng.random() < 0.05:
            file_type.commit(group.id, (name + " type").encode())
            self.expected[path + " type"] = {"kind": "datatype"}
        d = h5py.Dataset(h5d.create(group.id, name.encode(), file_type, space, plist))
        # HDF5 2.0 frees what it must not when a chunk that was written past its filters
        # comes to lie over the edge.
        past = self.write(d, dtype, special, shape, late)
        try:
            if layout == "chunked" and rng.random() < 0.2 and not past:
                # Chunks that lie outside after a dataset shrank, and never written ones.
                d.resize(tuple(rng.randint(1, m if m is not None else n + 20) if n else 0 for n, m in zip(shape, maxshape)))
            self.read(name, path, special)
        except (OSError, RuntimeError):
            # What the library cannot read back itself, as some chunks written past it.
            del group[name]
            self.expected.pop(path, None)
            return
        if rng.random() < 0.3:
            self.attributes(d, path)

    def pipeline(self, plist, dtype):
        rng = self.rng
        order = rng.random()
        if rng.random() < 0.2:
            plist.set_fletcher32()
        if rng.random() < 0.5:
            plist.set_shuffle()
        if order < 0.55:
            plist.set_deflate(rng.randint(0, 9))
        elif order < 0.85:
            plist.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
        if rng.random() < 0.3 and plist.get_nfilters() > 0 and not any(plist.get_filter(i)[0] == 3 for i in range(plist.get_nfilters())):
            plist.set_fletcher32()

    def write(self, d, dtype, special, shape, late):
        rng = self.rng
        data = self.values(dtype, shape)
        part = tuple(slice(None) for _ in shape)
        what = rng.random()
        if late or what < 0.05:
            return False
        if what < 0.35 and shape:
            part = tuple(slice(*sorted((rng.randint(0, n), rng.randint(0, n)))) for n in shape)
        if what > 0.95 and d.chunks and special is None:
            # A chunk written as it is, with filters left out by its mask.
            self.direct(d, dtype)
            return True
        if special is not None and special[0] != "complex":
            memory = d.id.get_type()
            raw = np.ascontiguousarray(data)
            if shape:
                d.id.write(h5s.ALL, h5s.ALL, raw, memory)
            else:
                d.id.write(h5s.ALL, h5s.ALL, raw, memory)
        elif special is not None:
            data = np.ascontiguousarray(data)
            d.id.write(h5s.ALL, h5s.ALL, data, d.id.get_type())
        elif dtype.subdtype is not None:
            d.id.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(data), d.id.get_type())
        elif dtype.kind == "V":
            d.id.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(data), d.id.get_type())
        else:
            d[part] = data[part]
        return False

    def direct(self, d, dtype):
        if self.rng.random() < 0.5 or not all(d.shape):
            return
        count = d.id.get_create_plist().get_nfilters()
        size = int(np.prod(d.chunks)) * d.dtype.itemsize
        raw = self.nprng.integers(0, 256, size, dtype="u1").tobytes()
        at = tuple(self.rng.randrange(-(-n // c)) * c for n, c in zip(d.shape, d.chunks))
        d.id.write_direct_chunk(at, raw, filter_mask=(1 << count) - 1)

    def strings(self, group, name, path):
        values = ["", "α", "dense/kernel:0", "x" * self.rng.randint(0, 300), "tail "]
        shape = self.rng.choice([(), (3,), (2, 2), (50,)])
        data = np.array([self.rng.choice(values) for _ in range(int(np.prod(shape)))], dtype=object).reshape(shape)
        group.create_dataset(name, data=data, dtype=h5py.string_dtype(), shape=shape, chunks=True if shape and self.rng.random() < 0.3 else None)
        self.expected[path] = {"kind": "strings", "values": [str(v) for v in data.reshape(-1)], "shape": list(shape)}

    def refused(self, group, name, path):
        kind = self.rng.choice(["compound", "vlen", "reference", "virtual", "external", "scaleoffset", "bits", "odd"])
        reason = {"virtual": "source.h5", "external": "outside.bin", "vlen": "variable-length", "odd": "3 bytes"}.get(kind, kind)
        if kind == "compound":
            group.create_dataset(name, data=np.zeros(3, [("a", "<f4"), ("b", "<i2", (2,)), ("c", "S3")]))
        elif kind == "vlen":
            d = group.create_dataset(name, (3,), h5py.vlen_dtype(np.dtype("<f4")))
            d[1] = np.arange(4, dtype="<f4")
        elif kind == "reference":
            group.create_dataset(name, (2,), h5py.ref_dtype)
        elif kind == "virtual":
            if self.libver[0] in ("earliest", "v108"):
                return
            layout = h5py.VirtualLayout(shape=(4,), dtype="<f4")
            layout[:] = h5py.VirtualSource("source.h5", "x", shape=(4,))
            group.create_virtual_dataset(name, layout)
        elif kind == "external":
            group.create_dataset(name, (4,), "<f4", external=[("outside.bin", 0, 16)])
        elif kind == "scaleoffset":
            group.create_dataset(name, data=np.arange(30, dtype="<i4"), chunks=(10,), scaleoffset=0)
            return self.read(name, path)
        elif kind == "bits":
            t = self.rng.choice([h5t.STD_I16LE, h5t.STD_U16BE]).copy()
            t.set_precision(12)
            t.set_offset(self.rng.choice([0, 3]))
            values = self.nprng.integers(0, 2**11, 9).astype("<i2")
            h5d.create(group.id, name.encode(), t, h5s.create_simple((9,))).write(h5s.ALL, h5s.ALL, values, h5t.STD_I16LE)
            self.read(name, path)
            del self.expected[path]["offset"]  # the bytes of the file are others
            return
        else:
            t = h5t.STD_I32LE.copy()
            t.set_precision(24)
            t.set_size(3)
            h5d.create(group.id, name.encode(), t, h5s.create_simple((3,)))
        self.expected[path] = {"kind": "refused", "reason": reason}

    def read(self, name, path, special=None):
        d = self.file[path]
        e = self.expected[path] = {"kind": "dataset", "addr": int(h5py.h5o.get_info(d.id).addr)}
        self.file.flush()
        if d.shape is None:
            e.update(dtype="null", shape=None)
            return
        dtype, shape = d.dtype, d.shape
        if special is not None:
            dtype = np.dtype({"bfloat16": "<u2", "float8": "<u1"}.get(special[0], "<c%d" % d.id.get_type().get_size()))
            out = np.zeros(shape, dtype)
            memory = d.id.get_type()
            big = special[1] == ">" and True
            if special[0] == "complex":
                out = np.zeros(shape, dtype.newbyteorder(special[1]))
                big = False
            if out.size:
                d.id.read(h5s.ALL, h5s.ALL, out, memory)
            if big:
                out = out.byteswap()
            label = {"bfloat16": "bf16", "float8": "f8e%d" % special[1] if special[0] == "float8" else "", "complex": "c%d" % dtype.itemsize}[special[0]]
            if special[0] == "complex":
                out = out.astype(dtype)
        else:
            base, extra = dtype.subdtype or (dtype, ())
            out = np.zeros(shape + extra, base) if dtype.subdtype else np.zeros(shape, dtype)
            if out.size:
                if dtype.subdtype or dtype.kind in "cV" or h5py.check_enum_dtype(dtype):
                    d.id.read(h5s.ALL, h5s.ALL, out, d.id.get_type() if not dtype.kind == "c" else None)
                else:
                    d.read_direct(out)
            shape = shape + extra
            label = {"b": "bool", "S": "S%d" % base.itemsize, "V": "V%d" % base.itemsize}.get(base.kind, base.kind + str(base.itemsize))
            if base.byteorder == ">":
                out = out.astype(base.newbyteorder("<"))
        raw = np.ascontiguousarray(out).tobytes()
        e.update(dtype=label, shape=list(shape), bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())
        offset = d.id.get_offset()
        if offset is not None and d.chunks is None and d.id.get_storage_size() > 0:
            e["offset"] = int(offset)

    def attributes(self, obj, path):
        rng = self.rng
        count = rng.choice([0, 1, 3, 3, 8, 9, 40])
        if rng.random() < 0.02:
            count = 400
        out = {}
        for i in range(count):
            name = "attribute %d %s" % (i, "n" * rng.choice([0, 0, 5, 100]))
            kind = rng.random()
            if kind < 0.2:
                value = rng.choice(["", "text", "ü" * rng.randint(1, 2000)])
                obj.attrs[name] = value
                out[name] = {"strings": [value]}
            elif kind < 0.35:
                value = ["layer_%d" % rng.randint(0, 9) for _ in range(rng.randint(1, 300))]
                obj.attrs.create(name, value, dtype=h5py.string_dtype() if rng.random() < 0.5 else "S8")
                out[name] = {"strings": value}
            elif kind < 0.4:
                obj.attrs[name] = h5py.Empty("f4")
                out[name] = {"null": True}
            elif kind < 0.45 and self.libver[0] != "earliest":
                n = rng.randint(8200, 9000)  # over 64 KiB: a huge object of the heap
                obj.attrs[name] = np.arange(n) * 0.5
                out[name] = {"halves": n}
            elif kind < 0.7:
                value = rng.randint(-(2**62), 2**62)
                obj.attrs[name] = value
                out[name] = {"numbers": [value], "scalar": True}
            else:
                dtype = rng.choice(["<f4", ">f8", "<f2", ">i4", "<u8", "<i1", ">u2", "?", "<c8"])
                value = self.nprng.integers(0, 100, rng.randint(1, 20)).astype(dtype)
                obj.attrs[name] = value
                out[name] = {"numbers": [complex(v).real for v in value.tolist()]}
        if out:
            self.expected.setdefault(path, {"kind": "group"})["attrs"] = out


def main():
    directory, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    files = []
    for i in range(count):
        name = "random_%d.h5" % (seed + i)
        w = Writer(os.path.join(directory, name), random.Random(seed + i))
        w.run(sparse=i == 0)
        files.append({"file": name, "libver": w.libver, "objects": w.expected})
    json.dump(files, sys.stdout)


main()
