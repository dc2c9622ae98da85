"""Rows of HDF5: a contiguous dataset against a torch tensor, a compressed one against h5py.

h5py lies in the environment of Keras, so it runs in a process of its own, which prints how long the read took.
"""

import functools
import pathlib
import subprocess

import data
from measure import Row, mounted, ratio, read_through, rounds, timed

H5PY = pathlib.Path(__file__).parents[2] / ".venv" / "keras" / "bin" / "python"

WRITE = """
import sys, h5py, numpy
values = numpy.random.default_rng(0).normal(size=(64 << 20,)).astype("f4")  # 256 MiB
values = (values * 64).astype("i4").astype("f4").reshape(-1, 4096)          # compresses as weights that were rounded
with h5py.File(sys.argv[1], "w") as f:
    f["w"] = values
with h5py.File(sys.argv[2], "w") as f:
    f.create_dataset("w", data=values, chunks=(64, 4096), compression="gzip", compression_opts=4, shuffle=True)
"""

READ = """
import sys, time, h5py, numpy
with h5py.File(sys.argv[1], "r") as f:
    d = f["w"]
    out = numpy.empty(d.shape, d.dtype)
    began = time.perf_counter()
    d.read_direct(out)
    print(time.perf_counter() - began)
"""


@functools.cache
def files():
    plain, packed = data.DIRECTORY / "plain.h5", data.DIRECTORY / "gzip.h5"
    subprocess.run([H5PY, "-c", WRITE, plain, packed], check=True)
    return plain, packed


def by_h5py(path):
    return float(subprocess.run([H5PY, "-c", READ, path], check=True, capture_output=True, text=True).stdout)


def by_mount(path, name):
    with mounted(path) as (mount, _):
        return timed(read_through, mount / "raw" / name)


def row_hdf5():
    """a contiguous dataset of 256 MiB, throughput against a torch tensor of that size"""
    import torch
    plain, _ = files()
    tensor = data.DIRECTORY / "one.pt"
    torch.save({"w": torch.zeros(64 << 20)}, tensor)
    read_through(plain), read_through(tensor)
    samples = rounds(torch=lambda: by_mount(tensor, "w.bin"), hdf5=lambda: by_mount(plain, "w.bin"))
    yield Row("hdf5 contiguous", row_hdf5.__doc__, ratio(samples, "torch", "hdf5"), "×", 0.95, "more", samples)


def row_hdf5_gzip():
    """a gzip-chunked dataset of 256 MiB, throughput against h5py"""
    _, packed = files()
    read_through(packed)
    samples = rounds(h5py=lambda: by_h5py(packed), wfs=lambda: by_mount(packed, "w.bin"))
    yield Row("hdf5 gzip", row_hdf5_gzip.__doc__, ratio(samples, "h5py", "wfs"), "×", 1.0, "more", samples)
