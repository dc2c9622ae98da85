"""Rows of the prefetch: what it takes, what it does to others, and loading where memory is short."""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys

import data
from loading import SAFETENSORS, sum_file
from measure import ROUNDS, Row, evict, fresh, mounted, processor_seconds, ratio, resident, rounds, warm
from reading import latencies


def row_load_daemon():
    """the daemon while load_file of a cold 1 GiB view and a sum of each tensor run"""
    samples = {"seconds per GiB": [], "MiB": []}
    for _ in range(ROUNDS):
        with mounted(data.checkpoint()) as (path, pid):
            view = path / "model.safetensors"
            before = processor_seconds(pid)
            fresh(SAFETENSORS, sum_file, view)
            samples["seconds per GiB"].append((processor_seconds(pid) - before) / (os.path.getsize(view) / data.GIB))
            samples["MiB"].append(resident(pid))
    yield Row("cpu loading", row_load_daemon.__doc__ + ", processor time",
              statistics.median(samples["seconds per GiB"]), "s/GiB", 0.25, "less", samples)
    yield Row("rss loading", row_load_daemon.__doc__ + ", resident memory",
              statistics.median(samples["MiB"]), "MiB", 40, "less", samples)


LOADER = """
import sys, safetensors.torch
print(flush=True)
sys.stdin.readline()
for tensor in safetensors.torch.load_file(sys.argv[1]).values():
    tensor.sum()
"""


def row_random_beside():
    """random cold reads of 4 KiB while a view of the mount is loaded, the slowest of 100"""
    def slowest(*flags):
        def run():
            with mounted(data.checkpoint(), *flags) as (path, _):
                loader = subprocess.Popen([sys.executable, "-c", LOADER, path / "model.safetensors"],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                loader.stdout.readline() # it has imported what it needs
                loader.stdin.write(b"\n")
                loader.stdin.flush()
                took = []
                for file in sorted((path / "raw").iterdir()):
                    if loader.poll() is not None:
                        break
                    took += latencies(file, 1, 20)
                loader.communicate()
                return statistics.quantiles(took, n=100)[98]
        return run

    samples = rounds(prefetch=slowest(), without=slowest("--no-prefetch"))
    yield Row("random p99 beside", row_random_beside.__doc__ + ", time against --no-prefetch",
              ratio(samples, "prefetch", "without"), "×", 3, "less", samples)


@contextlib.contextmanager
def group(limit):
    """A control group of so many bytes, of version 1 or 2: its directory, or None where this process may make none."""
    for root, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        directory = pathlib.Path(root) / f"wfs-bench-{os.getpid()}"
        with contextlib.suppress(OSError):
            directory.mkdir()
            try:
                (directory / name).write_text(str(limit))
                yield directory
            finally:
                directory.rmdir()
            return
    yield None


def join(directory):
    (directory / "cgroup.procs").write_text(str(os.getpid()))


def leave(directory):
    (directory.parent / "cgroup.procs").write_text(str(os.getpid()))


def cached(directory):
    """The bytes of files that a group has in memory."""
    stat = dict(line.split()[:2] for line in (directory / "memory.stat").read_text().splitlines())
    return int(stat["cache"] if "cache" in stat else stat["file"])


def load_within(directory, path):
    join(directory)
    try:
        sum_file(path)
    finally:
        leave(directory)


def row_load_group():
    """load_file and a sum of each tensor in a control group of 1.25 times the model, source on disk, daemon in it too"""
    size = os.path.getsize(data.native())
    left = []

    def native():
        evict(data.native())
        with group(size * 5 // 4) as directory:
            return fresh(SAFETENSORS, load_within, directory, data.native())

    def view():
        evict(data.checkpoint())
        with group(size * 5 // 4) as directory:
            with mounted(data.checkpoint()) as (path, pid):
                (directory / "cgroup.procs").write_text(str(pid))
                took = fresh(SAFETENSORS, load_within, directory, path / "model.safetensors")
                left.append(cached(directory) / size)
            return took

    with group(size) as directory:
        if directory is None:
            print("row load_group is left out: this process may make no control group", file=sys.stderr)
            return
    samples = rounds(native=native, view=view)
    warm(data.checkpoint())
    warm(data.native())
    yield Row("load group", row_load_group.__doc__ + ", time against a native file", ratio(samples, "view", "native"), "×", 1.2, "less", samples)
    yield Row("load group cache", row_load_group.__doc__ + ", what stays in the cache, in views", statistics.median(left), "views", 1.2, "less",
              {"views": left})
