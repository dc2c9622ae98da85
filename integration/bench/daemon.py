"""Rows of what the daemon takes: processor time and memory."""

import os
import statistics
import subprocess

import data
from measure import ROUNDS, Row, mounted, processor_seconds, read_through, resident


def row_cpu():
    """processor time of the daemon per GiB streamed"""
    samples = []
    for _ in range(ROUNDS):
        with mounted(data.checkpoint()) as (path, pid):
            view = path / "model.safetensors"
            before = processor_seconds(pid)
            read_through(view)
            samples.append((processor_seconds(pid) - before) / (os.path.getsize(view) / data.GIB))
    yield Row("cpu", row_cpu.__doc__, statistics.median(samples), "s/GiB", 0.25, "less", {"cpu": samples})


def row_rss_stream():
    """resident memory of the daemon while streaming 4 GiB"""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    source = data.DIRECTORY / "four.pt"
    with FakeTensorMode():
        state = {f"layer.{i}": torch.empty(data.GIB // 8) for i in range(8)}
    with torch.serialization.skip_data(materialize_fake_tensors=True):
        torch.save(state, source)
    with mounted(source) as (path, pid):
        read_through(path / "model.safetensors")
        most = resident(pid)
    source.unlink()
    yield Row("rss streaming", row_rss_stream.__doc__, most, "MiB", 32, "less", {"rss": [most]})


def row_rss_many():
    """resident memory of the daemon with 200 000 tensors, all listed"""
    with mounted(data.many(200_000)) as (path, pid):
        subprocess.run(["ls", "-l", path / "tensors"], check=True, stdout=subprocess.DEVNULL)
        now, most = resident(pid, "VmRSS"), resident(pid)
    yield Row("rss many", row_rss_many.__doc__, now, "MiB", 200, "less", {"rss": [now], "peak": [most]})
