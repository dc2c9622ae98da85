"""Rows of plain reads: throughput and latency of files in a mount."""

import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import data
from measure import Row, mounted, ratio, read_through, rounds, timed


def against_source(source, path, name):
    """Rounds of reading a file of a source, and the same through a new mount."""
    def cold():
        with mounted(source) as (mount, _):
            return timed(read_through, mount / name)

    read_through(path)
    return rounds(native=lambda: timed(read_through, path), view=cold)


def row_passthrough():
    """a .safetensors source, throughput against the source itself"""
    samples = against_source(data.native(), data.native(), "model.safetensors")
    yield Row("passthrough", row_passthrough.__doc__, ratio(samples, "native", "view"), "×", 0.95, "more", samples)


def row_passed_file():
    """a config.json of 1 GiB, to see its throughput, against the file itself"""
    import torch
    directory = data.DIRECTORY / "beside"
    directory.mkdir()
    torch.save({"w": torch.zeros(4)}, directory / "pytorch_model.bin")
    (directory / "config.json").hardlink_to(data.native())
    samples = against_source(directory, directory / "config.json", "config.json")
    shutil.rmtree(directory)
    yield Row("passed file", row_passed_file.__doc__, ratio(samples, "native", "view"), "×", 0.95, "more", samples)


def latencies(path, seed, count=2000):
    """The times of preads of 4 KiB anywhere in a file."""
    size = os.path.getsize(path) // 4096
    where = random.Random(seed).sample(range(size), count)
    file = os.open(path, os.O_RDONLY)
    took = []
    for page in where:
        began = time.perf_counter()
        os.pread(file, 4096, page * 4096)
        took.append(time.perf_counter() - began)
    os.close(file)
    return took


def median_latency(path):
    return statistics.median(latencies(path, 1))


def row_random():
    """random reads of 4 KiB, median latency against a native file"""
    with mounted(data.checkpoint()) as (path, _):
        view = path / "model.safetensors"
        read_through(view)

        def cold():
            with mounted(data.checkpoint()) as (fresh, _):
                return median_latency(fresh / "model.safetensors")

        samples = rounds(native=lambda: median_latency(data.native()), cold=cold, warm=lambda: median_latency(view))
    yield Row("random cold", row_random.__doc__, ratio(samples, "cold", "native"), "×", 18, "less", samples)
    yield Row("random warm", row_random.__doc__ + ", again", ratio(samples, "warm", "native"), "×", 1.0, "less", samples)


def row_ranges():
    """a view of 262 144 ranges of 4 KiB, throughput against one of 60 ranges of the same size"""
    many, few = data.many(262_144, 1024), data.checkpoint()

    def per_byte(source):
        with mounted(source) as (path, _):
            view = path / "model.safetensors"
            return timed(read_through, view) / os.path.getsize(view)

    samples = rounds(many=lambda: per_byte(many), few=lambda: per_byte(few))
    yield Row("ranges", row_ranges.__doc__, ratio(samples, "few", "many"), "×", 0.8, "more", samples)


def row_ratarmount():
    """a stored zip member, throughput against ratarmount"""
    source = data.checkpoint()
    ratarmount = os.environ["RATARMOUNT"]

    def view():
        with mounted(source) as (path, _):
            return timed(lambda: [read_through(file) for file in (path / "raw").iterdir()])

    def other():
        with tempfile.TemporaryDirectory(dir=data.DIRECTORY) as directory:
            subprocess.run([ratarmount, source, directory], check=True, capture_output=True)
            try:
                inside, = os.scandir(directory)
                members = [os.path.join(inside.path, "data", str(i)) for i in range(60)]
                return timed(lambda: [read_through(file) for file in members])
            finally:
                subprocess.run([ratarmount, "-u", directory], check=True, capture_output=True)

    samples = rounds(wfs=view, ratarmount=other)
    yield Row("ratarmount", row_ratarmount.__doc__, ratio(samples, "ratarmount", "wfs"), "×", 2, "more", samples)
