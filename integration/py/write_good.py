"""Writes one whole file of each kind, small, for tests that damage them."""

import json
import pathlib
import sys

import safetensors.torch
import torch

out = pathlib.Path(sys.argv[1])
tensors = {"w": torch.randn(5, 7), "t": torch.randn(4, 3).t().contiguous(), "h": torch.randn(9).bfloat16(), "s": torch.tensor(2)}
torch.save({**tensors, "t": tensors["t"].t(), "epoch": 3, "names": ["a", "b"]}, out / "zip.pt")
torch.save(tensors, out / "legacy.pt", _use_new_zipfile_serialization=False)
safetensors.torch.save_file(tensors, out / "plain.safetensors")
json.dump({"files": [str(out / name) for name in ("zip.pt", "legacy.pt", "plain.safetensors")]}, sys.stdout)
