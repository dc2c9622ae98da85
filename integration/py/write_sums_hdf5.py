"""Writes arrays in HDF5 and their sums, by h5py, NumPy and hashlib alone: see write_sums.py."""

import json
import pathlib
import sys

import h5py
import numpy

import sums

out = pathlib.Path(sys.argv[1])
random = numpy.random.default_rng(3)
arrays = {"dense/kernel": random.random((300, 50), numpy.float32), "dense/bias": random.random(50).astype("<f2"), "steps": numpy.array(12)}
with h5py.File(out / "arrays.h5", "w") as file:
    file.create_dataset("dense/kernel", data=arrays["dense/kernel"], chunks=(64, 16), compression="gzip", shuffle=True)
    file["dense/bias"] = arrays["dense/bias"].astype(">f2")
    file["steps"] = arrays["steps"]
names = {"float32": "F32", "float16": "F16", "int64": "I64"}
json.dump([sums.case("arrays", {key: sums.tensor_sum(names[a.dtype.name], a.shape, a.tobytes()) for key, a in arrays.items()},
                     [out / "arrays.h5"])], sys.stdout)
