"""Loads what wfs cp wrote and compares it with what torch and safetensors load of the source.

stdin: the cases of write_copies.py, each with "copy", a file, and "directory"; stdout: {name: [what differs]}.
"""

import glob
import pathlib

import safetensors
import safetensors.torch
import torch

import bits
import cases


def load(path):
    return safetensors.torch.load_file(path) if path.endswith(".safetensors") else torch.load(path)


def differs(who, got, want):
    if got.keys() != want.keys():
        yield f"{who}: keys {sorted(got.keys() ^ want.keys())} are on one side only"
    for key in got.keys() & want.keys():
        if got[key].dtype != want[key].dtype or got[key].shape != want[key].shape or bits.tensor_bytes(got[key]) != bits.tensor_bytes(want[key]):
            yield f"{who}: {key} differs"


def verify(case):
    want = {}
    for file in case["files"]:
        loaded = load(file)
        want |= loaded[case["root"]] if case["root"] else loaded
    yield from differs("file", safetensors.torch.load_file(case["copy"]), want)
    with safetensors.safe_open(case["copy"], "pt") as file:
        if file.metadata()["format"] != "pt":
            yield f"metadata is {file.metadata()}"
    weights = sorted(glob.glob(f"{case['directory']}/*.safetensors"))
    if len(weights) != len(case["files"]):
        yield f"directory: {weights}"
    yield from differs("directory", {key: t for path in weights for key, t in safetensors.torch.load_file(path).items()}, want)
    if all(file.endswith(".safetensors") for file in case["files"]):  # these are copied byte for byte
        for file, copied in zip(case["files"], weights):
            if pathlib.Path(file).read_bytes() != pathlib.Path(copied).read_bytes():
                yield f"{copied} is not {file}"


cases.check(verify)
