"""Writes pickles that call os.getcwd, and ordinary ones, where scanners do not look: in compressed streams of every kind,
one after the other or in each other; in pickles of every protocol; in archives; as joblib writes them.

usage: write_packed.py DIRECTORY; stdout: [{"name", "source", "verdicts"}]. Nothing here is loaded.
"""

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib

import cramjam
import joblib
import lz4.block
import lz4.frame
import numpy as np
import torch
import zstandard

out = pathlib.Path(sys.argv[1])
cases = []


class Calls:
    def __reduce__(self):
        return os.getcwd, ()


def save(value, **how):
    file = io.BytesIO()
    torch.save({"w": torch.ones(3), "value": value}, file, **how)
    return file.getvalue()


def add(name, *verdicts):
    cases.append({"name": name, "source": str(out / name), "verdicts": verdicts})
    return out / name


def write(name, data, *verdicts):
    add(name, *verdicts).write_bytes(data)


def legacy_lz4(data):
    """The frames of lz4 before 1.0 (doc/lz4_Frame_format.md, Legacy frame)."""
    block = lz4.block.compress(data, store_size=False)
    return struct.pack("<II", 0x184C2102, len(block)) + block


def window(bits):
    def compress(data):
        deflate = zlib.compressobj(9, zlib.DEFLATED, bits)
        return deflate.compress(data) + deflate.flush()
    return compress


def alone(**how):
    return lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, **how}])


bad, tiny = pickle.dumps(Calls(), 4), pickle.dumps({"a": 1}, 4)
zipped, legacy = save(Calls()), save(Calls(), _use_new_zipfile_serialization=False)
kinds = {
    "zlib": zlib.compress, "zlib-512": window(9), "zlib-8k": window(13), "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress,
    "xz-unchecked": lambda data: lzma.compress(data, check=lzma.CHECK_NONE), "lzma": alone(), "lzma-small": alone(dict_size=4096),
    "lzma-properties": alone(lc=0, lp=2, pb=0), "lz4": lz4.frame.compress, "lz4-legacy": legacy_lz4, "zstd": zstandard.compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
}
for kind, pack in kinds.items():
    write(f"one-{kind}", pack(bad), "dangerous")
    write(f"zip-{kind}", pack(zipped), "dangerous")
    write(f"zlib-in-{kind}", pack(zlib.compress(legacy)), "dangerous")
    write(f"{kind}-in-zstd", zstandard.compress(pack(bad)), "dangerous")
    for protocol in range(6):
        write(f"{kind}-in-{protocol}.pkl", pickle.dumps({"x": [pack(bad)]}, protocol), "dangerous")
    write(f"{kind}-in-array.pkl", pickle.dumps(bytearray(pack(zipped)), 2), "dangerous")
    write(f"{kind}-in-base64.pkl", pickle.dumps(base64.b64encode(pack(bad)).decode(), 4), "dangerous")
    write(f"empty-then-{kind}", pack(b"") + pack(bad), "dangerous")
    write(f"tiny-then-{kind}", pack(tiny) + pack(bad), "dangerous")
    write(f"halves-{kind}", pack(bad[:9]) + pack(bad[9:]), "dangerous")
    write(f"ordinary-{kind}", pack(tiny), "allowed")
skipped = struct.pack("<II", 0x184D2A5C, 4) + b"skip"
write("skip-zstd", skipped + skipped + zstandard.compress(bad), "dangerous")
write("skip-lz4", skipped + lz4.frame.compress(bad), "dangerous")
write("skip-nothing", skipped, "unknown")
write("padded-xz", lzma.compress(b"") + bytes(8) + lzma.compress(bad), "dangerous")
write("filtered-xz", lzma.compress(bad, filters=[{"id": lzma.FILTER_DELTA, "dist": 1}, {"id": lzma.FILTER_LZMA2}]), "unknown")
write("after-zlib", zlib.compress(tiny) + bad, "dangerous")
for name, magic in {"7z": b"7z\xbc\xaf\x27\x1c", "rar4": b"Rar!\x1a\x07\x00", "rar5": b"Rar!\x1a\x07\x01\x00", "lzip": b"LZIP\x01\x0c", "lzop": b"\x89LZO\x00\r\n"}.items():
    archive = magic + bytes(range(256))
    write(name, archive, "unknown")
    write(f"{name}-in.pkl", pickle.dumps({"x": archive}, 4), "unknown")
    write(f"{name}-in-2.pkl", pickle.dumps({"x": archive}, 2), "unknown")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("member", archive)
    write(f"{name}-in.zip", file.getvalue(), "unknown")
# Words that look like the beginning of a stream, and numbers that do.
write("words.pkl", pickle.dumps(["hC is", "(S and", "XG", "HK", "8O", "x^y"] * 9, 4), "allowed", "nothing")
write("numbers.pkl", pickle.dumps([struct.pack("<4q", n, 2, 3, 4) for n in range(99)], 4), "allowed", "nothing")

for method in ("zlib", "gzip", "bz2", "xz", "lzma"):
    joblib.dump({"a": np.arange(99.0), "c": Calls()}, add(f"{method}.joblib", "dangerous"), compress=(method, 3))
    joblib.dump({"a": np.arange(99.0)}, add(f"{method}-ordinary.joblib", "unknown"), compress=(method, 3))
mapped = np.memmap(out / "numbers", dtype="f4", mode="w+", shape=(4,))
for name, value, verdict in (
    ("arrays", [np.arange(10.0), np.asfortranarray(np.ones((3, 4))), np.matrix([[1]]), np.array(3.0), np.zeros((0, 3))], "unknown"),
    ("records", [np.zeros(3, [("a", "i4"), ("b", "U3")]), np.array(["2020"], "M8[D]"), np.arange(3, dtype=">c16")], "unknown"),
    ("mapped", [mapped, mapped[1:]], "unknown"),
    ("objects", [np.arange(9), np.array(["a", Calls()], dtype=object)], "dangerous"),
    ("after", [np.arange(1000, dtype=">i4"), np.ones(3, "?"), Calls()], "dangerous"),
):
    joblib.dump(value, add(f"{name}.joblib", verdict))
write("mapped.pkl", pickle.dumps(mapped, 4), "unknown")


class Maps:
    def __reduce__(self):
        return np.memmap, (str(out / "numbers"), "f4")


write("maps.pkl", pickle.dumps([mapped, Maps()], 4), "dangerous")
joblib.dump([mapped, Maps()], add("maps.joblib", "dangerous"))
json.dump(cases, sys.stdout)
