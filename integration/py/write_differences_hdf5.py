"""Writes two HDF5 files, chunked and compressed or big endian, and what differs, by h5py and NumPy: see write_differences.py."""

import json
import pathlib
import sys

import h5py
import numpy

import differences

out = pathlib.Path(sys.argv[1])
random = numpy.random.default_rng(5)
kernel = random.random((500, 301), numpy.float32)
other = kernel.copy()
other[77:90] *= numpy.float32(1.25)
arrays = {
    "dense/kernel": (kernel, other), "dense/bias": (kernel[0].astype(">f8"), other[80].astype("<f8")), "steps": (numpy.int64(4), numpy.int64(9)),
    "same": (kernel[:200], kernel[:200].copy()),
}
for side, name in enumerate(("a.h5", "b.h5")):
    with h5py.File(out / name, "w") as file:
        for key, pair in arrays.items():
            chunked = {"chunks": (64, 50), "compression": "gzip", "shuffle": True} if side == 0 and pair[0].ndim == 2 else {}
            file.create_dataset(key, data=pair[side], **chunked)
native = {key: [numpy.asarray(a).astype(a.dtype.newbyteorder("=")) for a in pair] for key, pair in arrays.items() if key != "same"}
json.dump({"a": str(out / "a.h5"), "b": str(out / "b.h5"), "tensors": {key: differences.values(*pair) for key, pair in native.items()}}, sys.stdout)
