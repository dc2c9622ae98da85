"""Mounts, rounds and rows of the benchmark."""

import concurrent.futures
import contextlib
import dataclasses
import importlib
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

WFS = os.environ["WFS"]
ROUNDS = int(os.environ.get("ROUNDS", "5"))


@dataclasses.dataclass
class Row:
    """One figure. better is "less" or "more"; samples are what the medians were taken of."""

    name: str
    what: str
    value: float
    unit: str
    target: float | None
    better: str
    samples: dict

    @property
    def met(self):
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "less" else self.value >= self.target


@contextlib.contextmanager
def mounted(source, *flags):
    """A new mount of source: nothing of it is cached yet. Gives its directory and the daemon's pid."""
    with tempfile.TemporaryDirectory(dir=os.environ["BENCH_DIR"]) as directory:
        path = pathlib.Path(directory) / "mnt"
        subprocess.run([WFS, "mount", *flags, source, path], check=True, stderr=subprocess.DEVNULL)
        try:
            listed = json.loads(subprocess.run([WFS, "status", "--json"], check=True, capture_output=True).stdout)
            yield path, next(m["pid"] for m in listed if m["mountpoint"] == str(path))
        finally:
            subprocess.run([WFS, "umount", path], check=True)


def timed(function, *args):
    began = time.perf_counter()
    result = function(*args)
    took = time.perf_counter() - began
    del result
    return took


def fresh(modules, function, *args):
    """Times function in a process of its own that has imported modules, as a program that starts and loads does.

    In a process that has loaded before, memory is at hand that a loader would have to be given by the kernel.
    """
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), prepare, (modules,)) as pool:
        return pool.submit(timed, function, *args).result()


def prepare(modules):
    for name in modules:
        importlib.import_module(name)
    claim()


def claim(size=5 << 29):
    """Touches memory and frees it.

    A virtual machine may have handed free memory back to its host, and to get a GiB again takes a second. That is
    no cost of a file system, and what a run needs most of differs: page cache, or memory of its own.
    """
    memory = bytearray(size)
    memory[::4096] = bytes(size // 4096)


def rounds(**variants):
    """Runs every variant once a round, each round in another order; a variant returns seconds.

    The first round warms up and does not count.
    """
    samples = {name: [] for name in variants}
    names = list(variants)
    for number in range(ROUNDS + 1):
        for name in names[number % len(names):] + names[:number % len(names)]:
            took = variants[name]()
            if number:
                samples[name].append(took)
    return samples


def ratio(samples, over, under):
    return statistics.median(samples[over]) / statistics.median(samples[under])


def read_through(path, size=1 << 20):
    """Reads a file to its end and returns its length."""
    buffer = bytearray(size)
    total = 0
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total


def warm(path):
    """Brings a file, or all files of a directory, into the page cache."""
    path = pathlib.Path(path)
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            read_through(file)


def evict(path):
    """Drops what the page cache has of a file."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid, field="VmHWM"):
    """Resident memory in MiB: VmHWM is the most it has been, VmRSS what it is."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)
