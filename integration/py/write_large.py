"""Writes a checkpoint of sixteen tensors of 4 MiB, all bytes different, to the path given."""

import sys

import torch

torch.manual_seed(5)
torch.save({f"layer.{i}.weight": torch.randint(0, 2**31, (1024, 1024), dtype=torch.int32) for i in range(16)}, sys.argv[1])
