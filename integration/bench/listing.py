"""Rows of many small tensors: mounting, wfs ls, ls -l."""

import pathlib
import shutil
import subprocess
import time

import data
from measure import WFS, Row, mounted, ratio, rounds, timed


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def row_open():
    """a torch file of 100 000 tensors, time against torch.load(weights_only=True)"""
    import torch
    source = data.many(100_000)

    def mount():
        began = time.perf_counter()
        with mounted(source):
            return time.perf_counter() - began

    samples = rounds(torch=lambda: timed(lambda: torch.load(source, weights_only=True)), mount=mount,
                     ls=lambda: timed(run, WFS, "ls", source))
    yield Row("mount", f"mounting {row_open.__doc__}", ratio(samples, "mount", "torch"), "×", 0.12, "less", samples)
    yield Row("ls", f"wfs ls of {row_open.__doc__}", ratio(samples, "ls", "torch"), "×", 0.1, "less", samples)


def row_ls_l():
    """first ls -l of 200 000 tensors in one directory, time against the same on the source's file system"""
    native = data.DIRECTORY / "names"
    with mounted(data.many(200_000)) as (path, _):
        native.mkdir()
        for entry in (path / "tensors").iterdir():
            (native / entry.name).write_bytes(bytes(136))

    def on_disk():
        # Directory entries and inodes are dropped: it is a first listing there too.
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
        return timed(run, "ls", "-l", native)

    def in_mount():
        with mounted(data.many(200_000)) as (path, _):
            return timed(run, "ls", "-l", path / "tensors")

    samples = rounds(native=on_disk, mount=in_mount)
    shutil.rmtree(native)
    yield Row("ls -l", row_ls_l.__doc__, ratio(samples, "mount", "native"), "×", 0.8, "less", samples)
