"""Writes .safetensors files into a directory, and a list of them to stdout."""

import json
import pathlib
import struct
import sys

import safetensors.torch
import torch

import bits

out = pathlib.Path(sys.argv[1])
cases = []


def add(name):
    path = out / f"{name}.safetensors"
    cases.append({"name": name, "source": str(path), "root": ""})
    return path


def by_hand(name, header, data, pad=b""):
    """A file with a header as other writers make it."""
    text = json.dumps(header).encode() + pad
    add(name).write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.manual_seed(4)
    tensors = {}
    for dtype in bits.SAFETENSORS:
        size = torch.tensor([], dtype=dtype).element_size()
        values = torch.randint(0, 256, (3, 14 * size), dtype=torch.uint8)
        tensors[str(dtype)] = values > 127 if dtype == torch.bool else values.view(dtype)
        tensors[f"{dtype}.empty"] = torch.empty((2, 0), dtype=dtype)
        if dtype != torch.float4_e2m1fn_x2:
            tensors[f"{dtype}.scalar"] = tensors[str(dtype)][1, 3].clone()
    safetensors.torch.save_file(tensors, add("dtypes"))
    safetensors.torch.save_file(tensors, add("metadata"), metadata={"format": "pt", "author": "é\n", "": ""})
    safetensors.torch.save_file({}, add("no-tensors"))
    safetensors.torch.save_file({"": torch.ones(2), "a/b": torch.ones(3), "x\n": torch.ones(1)}, add("names"))
    entry = {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}
    by_hand("unaligned", {"x": entry}, b"abc")
    by_hand("padded", {"x": entry}, b"abc", pad=b" " * 5000)
    by_hand("reversed", {"b": {**entry, "data_offsets": [3, 6]}, "a": entry}, b"abcdef")
    by_hand("odd-offset", {"a": entry, "b": {"dtype": "F64", "shape": [1], "data_offsets": [3, 11]}}, b"abc" + bytes(8))
    json.dump(cases, sys.stdout)


main()
