"""Writes a model directory of two files that a mount passes through, and their paths to stdout.

usage: write_safetensors_pair.py DIRECTORY
"""

import json
import pathlib
import sys

import safetensors.torch
import torch

out = pathlib.Path(sys.argv[1])
safetensors.torch.save_file({"w": torch.randn(300, 1000)}, out / "model.safetensors", metadata={"format": "pt"})
(out / "config.json").write_text(json.dumps({"model_type": "bert", "pad": "x" * 30_000}))
json.dump([str(out / "config.json"), str(out / "model.safetensors")], sys.stdout)
