#!/bin/bash
# demo.sh WFS PYTHON: makes a checkpoint with torch, mounts it, reads it three ways, unmounts.
set -euo pipefail
binary=$(realpath "$1") python=$(realpath -s "$2")
dir=$(mktemp -d)
trap 'cd /; "$binary" umount "$dir/model" 2>/dev/null || true; rm -rf --one-file-system "$dir"' EXIT
cd "$dir"

wfs() { "$binary" "$@"; }
show() { echo; echo "\$ $*"; "$@"; }

cat >train.py <<'PYTHON'
import torch
model = torch.nn.Sequential(torch.nn.Embedding(1000, 64), torch.nn.Linear(64, 64), torch.nn.LayerNorm(64))
torch.save({"epoch": 7, "model_state_dict": model.bfloat16().state_dict()}, "checkpoint.pt")
PYTHON
"$python" train.py
ls -l checkpoint.pt

show wfs ls checkpoint.pt
show wfs mount checkpoint.pt model
show ls -l model model/tensors
show find model/tree -name '*.npy'
show grep epoch model/meta/objects.json
show sha256sum model/raw/model_state_dict.2.weight.bin

echo; echo "One tensor, by numpy:"
"$python" - <<'PYTHON'
import numpy
array = numpy.load("model/f32/model_state_dict.2.weight.npy", mmap_mode="r")
print(array.dtype, array.shape, array[:4])
PYTHON

echo; echo "The view, by safetensors:"
"$python" - <<'PYTHON'
import safetensors
with safetensors.safe_open("model/model.safetensors", "pt") as view:
    for key in view.keys():
        tensor = view.get_tensor(key)
        print(f"{key:12} {tensor.dtype} {list(tensor.shape)}")
PYTHON

show wfs umount model
