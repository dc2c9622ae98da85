"""Compares mounts and copies of NumPy's files with what numpy reads. stdin: [{"name", "source", "mount", "copy"}]; stdout: {name: [what differs]}."""

import json
import pathlib
import sys
import urllib.parse

import numpy
from safetensors.numpy import load_file


def load(source):
    """The arrays of a source by their keys, little endian."""
    path = pathlib.Path(source)
    if path.is_dir() and (archives := list(path.glob("*.npz"))):
        path, = archives
    if path.is_dir():
        arrays = {str(p.relative_to(path))[:-4]: numpy.load(p) for p in path.rglob("*.npy")}
    elif path.suffix == ".npy":
        arrays = {"tensor": numpy.load(path)}
    else:
        with numpy.load(path) as archive:
            arrays = {key: archive[key] for key in archive.files if key != "o"}
    return {key: array.astype(array.dtype.newbyteorder("<")) for key, array in arrays.items()}


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def verify(case):
    mount = pathlib.Path(case["mount"])
    arrays = load(case["source"])
    files = {urllib.parse.unquote(p.name[:-4]): p for p in (mount / "tensors").iterdir()}
    if files.keys() != arrays.keys():
        yield f"tensors {sorted(files.keys() ^ arrays.keys())} are too many, or missing"
    views = list(mount.glob("*.safetensors"))
    if len(views) != 1:
        yield f"views {views}"
    for what, shown in (("view", load_file(views[0])), ("copy", load_file(case["copy"]))):
        if shown.keys() != arrays.keys():
            yield f"the {what} has {sorted(shown)}"
        for key, array in shown.items():
            if not same(array, arrays[key]):
                yield f"{key} differs in the {what}"
    for key, array in arrays.items():
        if not same(numpy.load(files[key]), array):
            yield f"{key}: {files[key]} differs"
        leaf = mount / "tree" / (f"{key}.npy" if "/" in key else key.replace(".", "/") + ".npy")
        if not same(numpy.load(leaf, mmap_mode="r"), array):
            yield f"{key}: {leaf} differs"
        if (mount / "raw" / (files[key].name[:-4] + ".bin")).read_bytes() != array.tobytes():
            yield f"{key}: raw bytes differ"
    passed = pathlib.Path(case["source"])
    if passed.is_dir():
        for path in passed.iterdir():
            if path.is_file() and path.suffix not in (".npy", ".npz") and (mount / path.name).read_bytes() != path.read_bytes():
                yield f"{path.name} is not passed through"
        if any(mount.glob("*.np[yz]")) or (mount / "params").exists():
            yield "what the view replaces is shown"


json.dump({case["name"]: list(verify(case)) for case in json.load(sys.stdin)}, sys.stdout)
