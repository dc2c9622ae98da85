"""Casts files of numbers as torch does: [{"from": "F32", "to": "BF16", "source": PATH, "out": PATH}, …] on stdin. With "by": "ml_dtypes"
float32 go to F8_E4M3 as ml_dtypes has it, and torch had before its pull request 178817: what is too large becomes a NaN."""

import json
import sys

import ml_dtypes
import numpy
import torch

from bits import SAFETENSORS

DTYPES = {name: dtype for dtype, name in SAFETENSORS.items()}

for job in json.load(sys.stdin):
    numbers = torch.from_numpy(numpy.fromfile(job["source"], numpy.uint8)).view(DTYPES[job["from"]])
    if job.get("by") == "ml_dtypes":
        numbers.float().numpy().astype(ml_dtypes.float8_e4m3fn).tofile(job["out"])
        continue
    numbers.to(DTYPES[job["to"]]).view(torch.uint8).numpy().tofile(job["out"])
