"""Moves arrays as torch does. Stdin: {"source": PATH, "out": PATH, "chains": [{"dtype": "F32", "arrays": [[offset, shape], …],
"steps": [[op, …], …]}, …]}. Each step is done to a list of tensors; those that are left go to the output, one after the other,
and their shapes to stdout.

A recipe is what transformers does to the tensors of a checkpoint when it loads one (core_model_loading.py)."""

import json
import sys
from types import SimpleNamespace

import numpy
import torch
from transformers import core_model_loading

from bits import SAFETENSORS, tensor_bytes

DTYPES = {name: dtype for dtype, name in SAFETENSORS.items()}


def convert(operation, tensors, **config):
    """What an operation of transformers makes of tensors under one key."""
    (result,) = operation.convert({"x": tensors}, ["x"], ["y"], config=SimpleNamespace(**config)).values()
    return result


def moe(tensors):
    """Gates, then ups: stacked over the experts, then joined (mixtral, conversion_mapping.py)."""
    half = len(tensors) // 2
    stacked = core_model_loading.MergeModulelist(0).convert({"gate": tensors[:half], "up": tensors[half:]}, ["gate", "up"], ["y"])
    (result,) = core_model_loading.Concatenate(1).convert(stacked, ["gate", "up"], ["y"]).values()
    return result


STEPS = {
    "permute": lambda ts, *dims: [t.permute(dims) for t in ts],
    "transpose": lambda ts: [t.transpose(-2, -1) for t in ts],
    "reshape": lambda ts, *shape: [t.reshape(shape) for t in ts],
    "slice": lambda ts, dim, begin, end, step: [t[(slice(None),) * dim + (slice(begin, end, step),)] for t in ts],
    "concat": lambda ts, dim: [torch.cat(ts, dim)],
    "stack": lambda ts, dim: [torch.stack(ts, dim)],
    "unstack": lambda ts, dim: [part for t in ts for part in t.unbind(dim)],
    "split": lambda ts, dim, *sizes: [part for t in ts for part in t.split(sizes, dim)],
    "chunk": lambda ts, dim, n: [part for t in ts for part in t.chunk(n, dim)],
    "reorder": lambda ts, dim, blocks, *order: [
        t.unflatten(dim, (blocks, -1 if t.shape[dim] else 0)).index_select(dim, torch.tensor(order)).flatten(dim, dim + 1) for t in ts
    ],
    "cast": lambda ts, dtype: [t.to(DTYPES[dtype]) for t in ts],
    "rope": lambda ts, heads: [convert(core_model_loading.PermuteForRope(), t, num_attention_heads=heads) for t in ts],
    "interleave": lambda ts, dim: [convert(core_model_loading.Interleave(dim), t) for t in ts],
    "moe": lambda ts: [moe(ts)],
}

job = json.load(sys.stdin)
source = torch.from_numpy(numpy.fromfile(job["source"], numpy.uint8))
shapes = []
with open(job["out"], "wb") as out:
    for chain in job["chains"]:
        dtype = DTYPES[chain["dtype"]]
        tensors = []
        for offset, shape in chain["arrays"]:
            count = 1
            for n in shape:
                count *= n
            tensors.append(source[offset : offset + count * dtype.itemsize].view(dtype).reshape(shape))
        for op, *arguments in chain["steps"]:
            tensors = STEPS[op](tensors, *arguments)
        shapes.append([list(t.shape) for t in tensors])
        for t in tensors:
            out.write(tensor_bytes(t.clone(memory_format=torch.contiguous_format)))  # of one element contiguous() keeps the strides
json.dump(shapes, sys.stdout)
