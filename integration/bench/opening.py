"""Rows of opening: memory, many shards, and how soon a large directory can be read."""

import functools
import json
import os
import pathlib
import statistics
import struct
import subprocess
import tempfile
import time

import data
from measure import ROUNDS, WFS, Row, mounted, resident, rounds, timed


@functools.cache
def whole(count):
    """A module of count parameters, saved whole."""
    import torch
    path = data.DIRECTORY / f"whole-{count}.pt"
    model = torch.nn.ModuleList(torch.nn.ParameterList(torch.zeros(2) for _ in range(100)) for _ in range(count // 100))
    torch.save(model, path)
    return path


def sparse(path, tensors):
    """Writes a .safetensors file whose tensors are holes."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for key, size in tensors:
        header[key] = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


def sparse_bin(path, tensors):
    """Writes a torch file whose storages are holes."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    with FakeTensorMode():
        state = {key: torch.empty(size // 2, dtype=torch.bfloat16) for key, size in tensors}
    with torch.serialization.skip_data(materialize_fake_tensors=True):
        torch.save(state, path)


FORMS = {"safetensors": ("model-{:05}-of-{:05}.safetensors", "model.safetensors.index.json", sparse),
         "bin": ("pytorch_model-{:05}-of-{:05}.bin", "pytorch_model.bin.index.json", sparse_bin)}


@functools.cache
def sharded(form, shards, each, size):
    """A directory of shards with each tensors of size bytes, which take no space."""
    name, index, write = FORMS[form]
    path = data.DIRECTORY / f"sharded-{form}-{shards}"
    path.mkdir()
    places = {}
    for shard in range(shards):
        file = name.format(shard + 1, shards)
        keys = [f"model.layers.{shard}.{i}.weight" for i in range(each)]
        write(path / file, [(key, size) for key in keys])
        places.update(dict.fromkeys(keys, file))
    (path / index).write_text(json.dumps({"metadata": {"total_size": shards * each * size}, "weight_map": places}))
    return path


def row_opening_peak():
    """the most resident memory of the daemon that opens 200 000 tensors"""
    for name, what, source in (("opening peak", "", data.many(200_000)), ("opening whole", " in a whole model", whole(200_000))):
        samples = []
        for _ in range(ROUNDS):
            with mounted(source) as (_, pid):
                samples.append(resident(pid))
        yield Row(name, row_opening_peak.__doc__ + what, statistics.median(samples), "MiB", 200, "less", {"peak": samples})


def row_shards():
    """wfs ls of a directory of 1 000 shards"""
    for form in FORMS:
        source = sharded(form, 1000, 10, 1 << 20)
        samples = rounds(ls=lambda source=source: timed(subprocess.run, [WFS, "ls", source], check=True, stdout=subprocess.DEVNULL))
        yield Row(f"shards {form}", f"{row_shards.__doc__} of .{form}", statistics.median(samples["ls"]), "s", None, "less", samples)


def row_first_byte():
    """wfs mount of a directory of 100 GB and a read of the first byte of its view"""
    for form in FORMS:
        source = sharded(form, 20, 40, 128 << 20)

        def first(source=source):
            with tempfile.TemporaryDirectory(dir=os.environ["BENCH_DIR"]) as directory:
                path = pathlib.Path(directory) / "mnt"
                began = time.perf_counter()
                subprocess.run([WFS, "mount", source, path], check=True, stderr=subprocess.DEVNULL)
                with open(path / "model-00001-of-00020.safetensors", "rb", buffering=0) as file:
                    file.read(1)
                took = time.perf_counter() - began
                subprocess.run([WFS, "umount", path], check=True)
                return took

        samples = rounds(first=first)
        yield Row(f"first byte {form}", f"{row_first_byte.__doc__}, shards of .{form}", 1000 * statistics.median(samples["first"]),
                  "ms", 50, "less", samples)
