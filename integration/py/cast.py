"""Casts files of numbers as torch does: [{"from": "F32", "to": "BF16", "source": PATH, "out": PATH}, …] on stdin."""

import json
import sys

import numpy
import torch

from bits import SAFETENSORS

DTYPES = {name: dtype for dtype, name in SAFETENSORS.items()}

for job in json.load(sys.stdin):
    numbers = torch.from_numpy(numpy.fromfile(job["source"], numpy.uint8)).view(DTYPES[job["from"]])
    numbers.to(DTYPES[job["to"]]).view(torch.uint8).numpy().tofile(job["out"])
