"""Compares slices of a large view with what torch maps from the source.

argv: the source, the mount. stdout: a list of what differs.
"""

import json
import sys

import safetensors
import torch

source, mount = sys.argv[1:]
want = torch.load(source, mmap=True)
problems = []
with safetensors.safe_open(f"{mount}/model.safetensors", "pt") as view:
    if set(view.keys()) != want.keys():
        problems.append(f"keys {sorted(view.keys())}")
    for key, tensor in want.items():
        part = view.get_slice(key)
        count = tensor.numel()
        if part.get_shape() != list(tensor.shape):
            problems.append(f"{key} has shape {part.get_shape()}")
        for start in {0, count // 3 - 8, count // 2 - 8, count - 16}:
            start = max(start, 0)
            got, expected = part[start:start + 16], tensor[start:start + 16]
            if got.view(torch.uint8).tolist() != expected.clone().view(torch.uint8).tolist():
                problems.append(f"{key} differs at {start}")
json.dump(problems, sys.stdout)
