"""Writes a checkpoint of tensors of 4 MiB, all bytes different, and the SHA-256 of each tensor's bytes to stdout.

usage: write_large.py PATH [TENSORS]
"""

import hashlib
import json
import sys

import torch

torch.manual_seed(5)
count = int(sys.argv[2]) if len(sys.argv) > 2 else 16
state = {f"layer.{i}.weight": torch.randint(0, 2**31, (1024, 1024), dtype=torch.int32) for i in range(count)}
torch.save(state, sys.argv[1])
json.dump({key: hashlib.sha256(tensor.numpy()).hexdigest() for key, tensor in state.items()}, sys.stdout)
