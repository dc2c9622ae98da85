"""Writes ordinary checkpoints: values that people keep beside their tensors, as the libraries themselves write them.

usage: write_ordinary.py DIRECTORY; stdout: [{"name", "source", "verdict"}]
"""

import argparse
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gzip
import http
import inspect
import io
import json
import logging
import operator
import os
import pathlib
import pickle
import platform
import random
import signal
import sys
import types
import uuid
import warnings
import zipfile
import zlib

import numpy as np
import torch
import torch.distributed.checkpoint as dcp
import transformers
from safetensors.torch import save_file
from torch.distributed.checkpoint import metadata

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
cases = []


def add(name, verdict):
    cases.append({"name": name, "source": str(out / name), "verdict": verdict})
    return out / name


def save(name, value, verdict, **how):
    torch.save({"w": torch.ones(2), "value": value}, add(name + ".pt", verdict), **how)


class Color(enum.Enum):
    RED = 1

    def __reduce_ex__(self, protocol):  # as Python 3.11.0 to 3.11.3 wrote enumerations
        return getattr, (Color, "RED")


class Hooked(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 2)
        self.inner.register_forward_hook(self.hook)

    def hook(self, module, arguments, output):
        pass


class ExtraState(torch.nn.Linear):
    """Keeps its extra state as TransformerEngine does, in a BytesIO."""

    def get_extra_state(self):
        state = io.BytesIO()
        torch.save({"scale": torch.ones(1), "amax": torch.zeros(4)}, state)
        return state

    def set_extra_state(self, state):
        pass


@dataclasses.dataclass
class Config:
    layers: int = 2
    names: list = dataclasses.field(default_factory=list)


def users_module(name):
    """A model whose class is in a module that the user called like one of Python's own."""
    module = types.ModuleType(name)
    module.Net = type("Net", (torch.nn.Linear,), {"__module__": name})
    sys.modules[name] = module
    return module.Net(2, 2)


linear = torch.nn.Linear(2, 2)
optimizer = torch.optim.AdamW(linear.parameters())
linear(torch.ones(1, 2)).sum().backward()
optimizer.step()
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
lambda_scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)

# State dicts and training states.
save("state_dict", linear.state_dict(), "allowed")
save("optimizer", optimizer.state_dict(), "allowed")
save("scheduler", scheduler.state_dict(), "allowed")
save("scaler", torch.amp.GradScaler("cpu").state_dict(), "allowed")
save("generator", torch.get_rng_state(), "allowed")
save("python_random", random.getstate(), "allowed")
save("numpy_random", np.random.get_state(), "allowed")
save("namespace", argparse.Namespace(lr=1e-3, out=pathlib.Path("runs/1"), betas=(0.9, 0.999)), "allowed")
save("dtypes", [torch.bfloat16, torch.float8_e4m3fn, torch.int4, torch.strided, torch.device("cpu")], "allowed")
save("sparse", torch.eye(3).to_sparse(), "allowed")
save("quantized", torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "allowed")
save("parameter", torch.nn.Parameter(torch.ones(2)), "allowed")
save("buffer", torch.nn.Buffer(torch.ones(2)), "allowed")
save("size", torch.Size([1, 2]), "allowed")
save("complex", torch.ones(2, dtype=torch.complex64), "allowed")
save("numpy_array", np.ones((2, 3), "f4"), "allowed")
save("numpy_scalar", np.float64(3), "allowed")
save("numpy_strings", np.array(["a", "bc"]), "allowed")
save("bytes", b"\x00\x01\x02" * 9, "allowed")
save("bytearray", bytearray(b"cat\ndog\n" * 9), "allowed")
save("tokenizer_json", json.dumps({"model": {"vocab": {"cos": 0, "a\n": 1}}}).encode(), "allowed")
save("text", "cos\nis a function\n" * 3, "allowed")
save("inner_file", (lambda b: (torch.save(linear.state_dict(), b), b.getvalue()))(io.BytesIO())[1], "allowed")
save("inner_pickle", pickle.dumps({"step": 1}, 0), "allowed")
save("compressed", zlib.compress(json.dumps({"step": 1}).encode()), "allowed")

# Values of the standard library.
save("containers", [collections.OrderedDict(a=1), collections.defaultdict(list), collections.deque([1]), {1}, frozenset("a")], "allowed")
save("counter", collections.Counter("aab"), "allowed")
save("dates", [datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(1), datetime.date(2026, 1, 1)], "allowed")
save("decimals", [decimal.Decimal("1.5"), fractions.Fraction(1, 3), 2**80, 1j], "allowed")
save("uuid", uuid.UUID(int=5), "allowed")
save("signal", signal.SIGTERM, "allowed")
save("http_status", http.HTTPStatus.OK, "allowed")
save("range", [range(5), slice(1, 2), ...], "allowed")
save("uname", platform.uname(), "allowed")
save("simple_namespace", types.SimpleNamespace(a=1), "allowed")
save("bytesio", io.BytesIO(b"state"), "unknown")
save("stringio", io.StringIO("log"), "unknown")
save("logger", logging.getLogger("train"), "unknown")
save("enum_of_3.11", Color.RED, "unknown")
save("signature", inspect.signature(print), "unknown")
save("zipinfo", zipfile.ZipInfo("a"), "unknown")
save("partial", functools.partial(torch.nn.LayerNorm, eps=1e-6), "unknown")
save("partial_of_partial", functools.partial(functools.partial(torch.nn.Linear, 2), 2), "unknown")
save("itemgetter", operator.itemgetter(1), "unknown")
save("functions", [operator.add, sorted, max, min, print, len], "unknown")
save("types", [type, type(None), int, list[int]], "unknown")
save("exception", ValueError("x"), "unknown")
save("dataclass", Config(), "unknown")

# Whole models and what libraries save.
torch.save(linear, add("module.pt", "unknown"))
torch.save(Hooked(), add("hooks.pt", "unknown"))
torch.save(torch.nn.LazyLinear(3), add("lazy.pt", "unknown"))
torch.save(torch.compile(torch.nn.Linear(2, 2)), add("compiled.pt", "unknown"))
torch.save(ExtraState(2, 2).state_dict(), add("extra_state.pt", "unknown"))
torch.save(torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(2, 2)), {torch.nn.Linear}), add("quantized_module.pt", "unknown"))
for name in ("test", "trace", "code", "profile", "cmd"):
    torch.save(users_module(name), add(f"users_{name}.pt", "unknown"))
torch.save(lambda_scheduler, add("scheduler_object.pt", "unknown"))
torch.save(transformers.TrainingArguments(output_dir=str(out / "run"), use_cpu=True, report_to=[]), add("training_args.bin", "unknown"))
torch.save(transformers.BertConfig(), add("config_object.bin", "unknown"))
torch.jit.script(torch.nn.Linear(2, 2)).save(str(add("script.pt", "unknown")))

# Containers.
torch.save(linear.state_dict(), add("legacy.pt", "allowed"), _use_new_zipfile_serialization=False)
torch.save(copy.deepcopy(linear.state_dict()), add("protocol4.pt", "allowed"), pickle_protocol=4)
add("plain.pkl", "allowed").write_bytes(pickle.dumps({"w": np.ones(3)}))
add("storage.pkl", "allowed").write_bytes(pickle.dumps(torch.ones(3).untyped_storage()))
add("tensor.pkl", "allowed").write_bytes(pickle.dumps(torch.ones(3), 2))
add("several.pkl", "allowed").write_bytes(b"".join(pickle.dumps({"step": n}) for n in range(5)))
add("pickle.gz", "allowed").write_bytes(gzip.compress(pickle.dumps({"a": np.ones(3)})))
save_file(linear.state_dict(), add("model.safetensors", "nothing"))
np.save(add("array.npy", "nothing"), np.arange(5))
np.save(add("objects.npy", "allowed"), np.array([1, "a", None], dtype=object), allow_pickle=True)
np.savez(add("arrays.npz", "nothing"), a=np.ones(3), b=np.zeros(2))
add("words.txt", "nothing").write_text("cat\ndog\nmouse\n" * 20)
add("config.json", "nothing").write_text(json.dumps({"a": 1}))
dcp.save({"model": linear.state_dict(), "step": 3}, checkpoint_id=str(out / "dcp"))
add("dcp/.metadata", "allowed")
add("dcp/__0_0.distcp", "allowed")
assert isinstance(pickle.loads((out / "dcp/.metadata").read_bytes()), metadata.Metadata)


class NumpyArrayWrapper:
    """Stands for joblib's class of this name, whose instances are followed by the raw numbers."""


class JoblibPickler(pickle._Pickler):
    """Writes arrays where joblib does (joblib/numpy_pickle.py, NumpyPickler.save)."""

    def save(self, value, **how):
        if type(value) is not np.ndarray:
            return super().save(value, **how)
        wrapper = NumpyArrayWrapper()
        wrapper.__dict__.update(subclass=np.ndarray, shape=value.shape, order="C", dtype=value.dtype, allow_mmap=True, numpy_array_alignment_bytes=16)
        super().save(wrapper)
        self.framer.commit_frame(force=True)
        file = self.framer.file_write.__self__
        padding = 15 - file.tell() % 16
        file.write(bytes([padding]) + b"\xff" * padding + value.tobytes())


sys.modules["joblib"], module = types.ModuleType("joblib"), types.ModuleType("joblib.numpy_pickle")
sys.modules["joblib.numpy_pickle"], module.NumpyArrayWrapper = module, NumpyArrayWrapper
NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"


class Calls:
    def __reduce__(self):
        return os.getcwd, ()


for name, value, verdict in (
    ("array.joblib", {"mean": np.arange(1000.0), "names": ["a"]}, "unknown"),
    ("arrays.joblib", [np.arange(9, dtype="i4"), np.array(["a", "bc"]), np.ones((2, 3), "f4")], "unknown"),
    ("control_after_array.joblib", [np.arange(1000.0), Calls()], "dangerous"),
):
    with open(add(name, verdict), "wb") as file:
        JoblibPickler(file, protocol=4).dump(value)
torch.save({"w": torch.ones(1), "value": functools.partial(os.getcwd)}, add("control_partial.pt", "dangerous"))
torch.save({"w": torch.ones(1), "value": os.getcwd}, add("control_getcwd.pt", "dangerous"))
print(json.dumps(cases))
