"""Compares each view in a mounted directory with the weight file that it stands for.

stdin: [{"name", "source", "mount", "views": {view: file}}]; stdout: {name: [what differs]}.
"""

import os

import numpy
import safetensors.torch
import torch

import bits
import cases


def verify(case):
    for view, file in case["views"].items():
        want = torch.load(f"{case['source']}/{file}")
        got = safetensors.torch.load_file(f"{case['mount']}/{view}")
        if got.keys() != want.keys():
            yield f"{view}: keys {sorted(got)}"
            continue
        directory = os.path.dirname(view)
        for key, tensor in want.items():
            if got[key].dtype != tensor.dtype or bits.tensor_bytes(got[key]) != bits.tensor_bytes(tensor):
                yield f"{view}: {key} differs"
            array = numpy.load(f"{case['mount']}/tensors/{directory}/{key}.npy", mmap_mode="r")
            if array.tobytes() != bits.tensor_bytes(tensor):
                yield f"tensors/{directory}/{key}.npy differs"


cases.check(verify)
