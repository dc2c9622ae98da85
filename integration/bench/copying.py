"""Rows of wfs cp: against cp of a file that is a view already, and against torch.load and save_file of one that is not.

cp and save_file return while the bytes are on their way to the disk, so there are two pairs: with --no-sync, which does
as they do, and of everything until it is on the disk, which is what wfs cp waits for.
"""

import os
import subprocess

import data
from loading import SAFETENSORS
from measure import WFS, Row, fresh, ratio, rounds, timed


def emptied(function):
    """Runs function with a path where nothing is, on a disk that has nothing else to write, and removes what it made."""
    target = data.DIRECTORY / "copied.safetensors"

    def run():
        os.sync()
        try:
            return function(target)
        finally:
            target.unlink()

    return run


def run(*args):
    subprocess.run(args, check=True, stderr=subprocess.DEVNULL)


def wfs_cp(source, *flags):
    return emptied(lambda target: timed(run, WFS, "cp", *flags, source, target))


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def cp(source, synced):
    def both(target):
        run("cp", source, target)
        if synced:
            sync(target)
    return emptied(lambda target: timed(both, target))


def convert(source, target, synced):
    import safetensors.torch
    import torch
    safetensors.torch.save_file(torch.load(source), target, metadata={"format": "pt"})
    if synced:
        sync(target)


def converted(source, synced):
    return emptied(lambda target: fresh(SAFETENSORS, convert, source, target, synced))


def row_cp():
    """wfs cp of a 1 GiB .safetensors file"""
    source = data.native()
    samples = rounds(cp=cp(source, False), wfs=wfs_cp(source, "--no-sync"), cp_disk=cp(source, True), wfs_disk=wfs_cp(source))
    yield Row("cp", row_cp.__doc__ + ", --no-sync, throughput against cp", ratio(samples, "cp", "wfs"), "×", 0.9, "more", samples)
    yield Row("cp to disk", row_cp.__doc__ + " until it is on the disk, throughput against cp and fsync",
              ratio(samples, "cp_disk", "wfs_disk"), "×", 0.9, "more", samples)


def row_cp_convert():
    """wfs cp of a 1 GiB .pt file"""
    source = data.checkpoint()
    samples = rounds(torch=converted(source, False), wfs=wfs_cp(source, "--no-sync"),
                     torch_disk=converted(source, True), wfs_disk=wfs_cp(source))
    yield Row("cp .pt", row_cp_convert.__doc__ + ", --no-sync, time against torch.load and save_file",
              ratio(samples, "wfs", "torch"), "×", 0.4, "less", samples)
    yield Row("cp .pt to disk", row_cp_convert.__doc__ + " until it is on the disk, time against torch.load, save_file and fsync",
              ratio(samples, "wfs_disk", "torch_disk"), "×", 0.4, "less", samples)
