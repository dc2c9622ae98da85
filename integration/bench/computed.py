"""Rows of what is computed while it is read: casts, transposed tensors, compressed records and chunks."""

import concurrent.futures
import functools
import pathlib
import re
import statistics
import subprocess
import time
import zipfile
import zlib

import arrays
import data
from measure import ROUNDS, Row, mounted, ratio, read_through, rounds, timed, warm

ROOT = pathlib.Path(__file__).parents[2]

# One processor's zlib, the interpreter's own, on the chunks of a dataset: it does not even undo the shuffle.
ONE_ZLIB = """
import sys, time, zlib, h5py
with h5py.File(sys.argv[1], "r") as f:
    d = f["w"]
    began = time.perf_counter()
    for i in range(d.id.get_num_chunks()):
        zlib.decompress(d.id.read_direct_chunk(d.id.get_chunk_info(i).chunk_offset)[1])
    print(time.perf_counter() - began)
"""


def row_casts():
    """a cast on one processor, output in the second cache"""
    wanted = ("F32-BF16", "F32-F16", "F16-F32", "BF16-F32", "F64-F32", "F8_E4M3-F32", "F8_E5M2-F32", "F32-F8_E4M3", "F32-F8_E5M2")
    command = ["go", "test", "-run", "^$", "-bench", "Cast/L2/.*/fast", "-benchtime", "0.1s", "-count", str(ROUNDS), "./formats/ops"]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for cast in wanted:
        speeds = [float(s) * 1e6 / data.GIB for s in re.findall(rf"L2/{cast}/fast\S*\s.*?([\d.]+) MB/s", out)]
        yield Row(f"cast {cast}", row_casts.__doc__, statistics.median(speeds), "GiB/s", 7, "more", {"GiB/s": speeds})


@functools.cache
def transposed():
    """A transposed float32 of 1 GiB, 16384 × 16384."""
    import torch
    path = data.DIRECTORY / "transposed.pt"
    torch.save({"w": torch.randn(1 << 14, 1 << 14).t()}, path)
    warm(path)
    return path


def contiguous(path):
    import torch
    torch.set_num_threads(2)
    return timed(torch.load(path, mmap=True)["w"].contiguous)


def by_mount(path, *names):
    """Reads files of a new mount at once."""
    with mounted(path) as (mount, _):
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            return timed(lambda: list(pool.map(read_through, [mount / "raw" / name for name in names])))


def row_gather():
    """a transposed float32 of 16384 × 16384 through the mount"""
    path = transposed()
    samples = rounds(torch=lambda: contiguous(path), wfs=lambda: by_mount(path, "w.bin"))
    speed = (1 << 30) / 1e9 / statistics.median(samples["wfs"])
    yield Row("gather", row_gather.__doc__, speed, "GB/s", 1.5, "more", samples)
    yield Row("gather torch", row_gather.__doc__ + ", against torch's .contiguous()", ratio(samples, "torch", "wfs"), "×", 0.5, "more", samples)


@functools.cache
def deflated():
    """Two tensors of 64 MiB in a torch file that was zipped anew."""
    import torch
    stored, path = data.DIRECTORY / "stored.pt", data.DIRECTORY / "deflated.pt"
    torch.save({name: torch.randn(16 << 20).bfloat16().float() for name in "ab"}, stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    stored.unlink()
    warm(path)
    return path


def one_zlib(path):
    """Inflates the larger records as a program with one thread does."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        took = 0.0
        for info in archive.infolist():
            if info.file_size > 1 << 20:
                file.seek(info.header_offset + 26)
                head = file.read(4)
                file.seek(int.from_bytes(head[:2], "little") + int.from_bytes(head[2:], "little"), 1)
                packed = file.read(info.compress_size)
                began = time.perf_counter()
                zlib.decompress(packed, -15, info.file_size)
                took += time.perf_counter() - began
        return took


def row_deflated():
    """two deflated tensors of 64 MiB, throughput against one processor's zlib"""
    path = deflated()

    def in_turn():
        with mounted(path) as (mount, _):
            return timed(lambda: [read_through(mount / "raw" / name) for name in ("a.bin", "b.bin")])

    samples = rounds(zlib=lambda: one_zlib(path), turn=in_turn, once=lambda: by_mount(path, "a.bin", "b.bin"))
    yield Row("deflated at once", row_deflated.__doc__ + ", both at once", ratio(samples, "zlib", "once"), "×", 1.8, "more", samples)
    # The first pass over a stream is serial: each of its bytes may refer to the 32 KiB before it.
    yield Row("deflated in turn", row_deflated.__doc__ + ", one after the other", ratio(samples, "zlib", "turn"), "×", None, "more", samples)


def row_hdf5_zlib():
    """a gzip-chunked dataset of 256 MiB, throughput against one processor's zlib"""
    _, packed = arrays.files()
    read_through(packed)
    samples = rounds(
        zlib=lambda: float(subprocess.run([arrays.H5PY, "-c", ONE_ZLIB, packed], check=True, capture_output=True, text=True).stdout),
        wfs=lambda: arrays.by_mount(packed, "w.bin"))
    yield Row("hdf5 zlib", row_hdf5_zlib.__doc__, ratio(samples, "zlib", "wfs"), "×", 1.8, "more", samples)
