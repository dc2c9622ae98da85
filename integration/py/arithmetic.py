"""Computes tensors from tensors as the tool does that people use for it. Stdin: {"source": PATH, "out": PATH, "jobs": [{"op": "linear",
"arrays": [[dtype, offset, shape], …], "numbers": […], "to": "BF16"}, …]}. Results go to the output, one after the other."""

import json
import sys

import numpy
import torch
from mergekit.merge_methods.api import merge_tensors
from mergekit.merge_methods.slerp import slerp
from torch.nn.utils import remove_weight_norm, weight_norm
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights
from torch.optim.swa_utils import AveragedModel

from bits import SAFETENSORS, tensor_bytes

DTYPES = {name: dtype for dtype, name in SAFETENSORS.items()}


class Layer(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight.clone(), requires_grad=False)


def swa(*tensors):
    average = AveragedModel(Layer(tensors[0]))
    for t in tensors:
        average.update_parameters(Layer(t))
    return average.module.weight


def norm(g, v, dim):
    layer = weight_norm(Layer(v), dim=None if dim < 0 else int(dim))
    layer.weight_g.data, layer.weight_v.data = g, v
    return remove_weight_norm(layer).weight


def task_arithmetic(tensors, normalize, scale, *weights):
    parameters = {"weight": list(weights), "normalize": bool(normalize), "lambda": scale}
    return merge_tensors(tensors, "task_arithmetic", base_index=0, parameters=parameters, dtype=torch.float32)


OPS = {
    "scale": lambda ts, w: [ts[0].float() * w],
    "add": lambda ts, w: [torch.add(ts[0].float(), ts[1].float(), alpha=w)],
    "sub": lambda ts: [ts[0].float() - ts[1].float()],
    "difference": lambda ts, w: [ts[0].float() + w * (ts[1].float() - ts[2].float())],
    "lerp": lambda ts, t: [torch.lerp(ts[0].float(), ts[1].float(), t)],
    "linear": lambda ts, normalize, *weights: [merge_tensors(ts, "linear", parameters={"weight": list(weights), "normalize": bool(normalize)})],
    "task_arithmetic": lambda ts, *numbers: [task_arithmetic(ts, *numbers)],
    "slerp": lambda ts, t: [merge_tensors(ts, "slerp", base_index=0, parameters={"t": t})],
    "slerp_rows": lambda ts, t: [slerp(torch.full((len(ts[0]),), t), *ts)],
    "nearswap": lambda ts, t: [merge_tensors(ts, "nearswap", base_index=0, parameters={"t": t}, dtype=torch.float32)],
    "mean": lambda ts: [swa(*ts)],
    "weight_norm": lambda ts, dim: [norm(*ts, dim)],
    "batch_norm": lambda ts, eps, transpose: fuse_conv_bn_weights(*ts[:4], eps, *ts[4:], transpose=bool(transpose)),
    "batch_norm_linear": lambda ts, eps: fuse_linear_bn_weights(*ts[:4], eps, *ts[4:]),
}

job = json.load(sys.stdin)
source = torch.from_numpy(numpy.fromfile(job["source"], numpy.uint8))
with open(job["out"], "wb") as out, torch.no_grad():
    for j in job["jobs"]:
        tensors = []
        for dtype, offset, shape in j["arrays"]:
            dtype, count = DTYPES[dtype], int(numpy.prod(shape, dtype=int))
            tensors.append(source[offset : offset + count * dtype.itemsize].view(dtype).reshape(shape))
        for result in OPS[j["op"]](tensors, *j["numbers"]):
            out.write(tensor_bytes(result.to(DTYPES[j["to"]]).clone(memory_format=torch.contiguous_format)))
