"""Rows of sums and differences, against programs that read the same bytes."""

import shutil
import subprocess

import data
from measure import WFS, Row, ratio, rounds, timed


def at_once(*command):
    """Runs a command on each half of the bytes of the model, both at the same time."""
    running = [subprocess.Popen([*command, half], stdout=subprocess.DEVNULL) for half in data.halves()]
    for process in running:
        if process.wait():
            raise RuntimeError(f"{command}: exit code {process.returncode}")


def quiet(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def row_sum():
    """wfs sum of a torch file of 1 GiB, time against sha256sum of the same bytes on both processors"""
    source = data.checkpoint()
    samples = rounds(sha256sum=lambda: timed(at_once, "sha256sum"), openssl=lambda: timed(at_once, "openssl", "sha256"),
                     sum=lambda: timed(quiet, WFS, "sum", source))
    yield Row("sum", row_sum.__doc__, ratio(samples, "sum", "sha256sum"), "×", 1, "less", samples)
    yield Row("sum openssl", row_sum.__doc__.replace("sha256sum", "openssl"), ratio(samples, "sum", "openssl"), "×", 1.1, "less", samples)


def row_diff():
    """wfs diff of two equal torch files of 1 GiB, time against reading both at once, and against cmp"""
    source = data.checkpoint()
    copy = data.DIRECTORY / "copy.pt"
    shutil.copyfile(source, copy)

    def read_both():
        running = [subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL) for path in (source, copy)]
        for process in running:
            process.wait()

    samples = rounds(read=lambda: timed(read_both), cmp=lambda: timed(quiet, "cmp", source, copy), diff=lambda: timed(quiet, WFS, "diff", source, copy))
    copy.unlink()
    yield Row("diff", "wfs diff of two equal torch files of 1 GiB, time against reading both at once", ratio(samples, "diff", "read"), "×", 1.5, "less", samples)
    yield Row("diff cmp", "wfs diff of two equal torch files of 1 GiB, time against cmp", ratio(samples, "diff", "cmp"), "×", 1, "less", samples)


def row_diff_changed():
    """wfs diff of two files of 1 GiB in which every number differs, time against the same figures by torch"""
    import torch
    source, changed = data.checkpoint(), data.DIRECTORY / "changed.pt"
    torch.save({key: (t.float() * 1.01).bfloat16() for key, t in data.tensors().items()}, changed)

    def by_torch():
        a, b = torch.load(source, mmap=True), torch.load(changed, mmap=True)
        for key, t in a.items():
            x, y = t.float().flatten(), b[key].float().flatten()
            apart = (x - y).abs()
            finite = apart.isfinite()
            apart, size = apart[finite], y[finite].abs()
            figures = apart.max(), apart.mean(), (apart / size).nan_to_num(0).max(), torch.nn.functional.cosine_similarity(x[finite], y[finite], dim=0)
            figures += x.isnan().sum(), y.isnan().sum(), x.isinf().sum(), y.isinf().sum(), (x != y).sum()

    samples = rounds(torch=lambda: timed(by_torch), diff=lambda: timed(subprocess.run, [WFS, "diff", source, changed], stdout=subprocess.DEVNULL))
    changed.unlink()
    yield Row("diff changed", row_diff_changed.__doc__, ratio(samples, "diff", "torch"), "×", 1, "less", samples)
