"""Compares a mount with a source of many tensors: the whole view, and every 200th file.

argv: the source, the mount. stdout: a list of what differs.
"""

import json
import os
import sys

import numpy
import safetensors.torch
import torch

source, mount = sys.argv[1:]
want = torch.load(source)
got = safetensors.torch.load_file(f"{mount}/model.safetensors")
problems = []
if list(got) != sorted(want) and got.keys() != want.keys():
    problems.append(f"{len(got)} keys, want {len(want)}")
problems += [f"{key} differs" for key in want if key not in got or not torch.equal(got[key], want[key])][:10]
names = set(os.listdir(f"{mount}/tensors"))
if names != {f"{key}.npy" for key in want}:
    problems.append(f"{len(names)} names in tensors/, want {len(want)}")
for key in list(want)[::200]:
    for path in (f"tensors/{key}.npy", f"tree/{key.replace('.', '/')}.npy"):
        if not numpy.array_equal(numpy.load(f"{mount}/{path}", mmap_mode="r"), want[key].numpy()):
            problems.append(f"{path} differs")
json.dump(problems, sys.stdout)
