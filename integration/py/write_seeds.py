"""Writes the seed files of formats/torch/testdata: real torch files, as small as they come.

usage: write_seeds.py DIRECTORY
"""
import argparse
import collections
import io
import os
import pathlib
import pickle
import struct
import sys
import tarfile

import numpy as np
import torch


def write_tar(path):
    """The oldest format, by the description in torch/serialization.py, legacy_load."""
    first, second = torch.arange(12, dtype=torch.float32), torch.arange(4, dtype=torch.int64)
    members = {}
    out = io.BytesIO()
    pickle.dump(2, out, protocol=2)
    for key, tensor, cls in ((1, first, torch.FloatStorage), (2, second, torch.LongStorage)):
        pickle.dump((key, "cpu", cls), out, protocol=2)
        out.write(struct.pack("<q", tensor.numel()) + tensor.numpy().tobytes())
    pickle.dump([(3, 1, 4, 4)], out, protocol=2)  # storage 3 is elements 4 to 8 of storage 1
    members["storages"] = out.getvalue()

    out = io.BytesIO()
    tensors = [(10, 1, torch.FloatTensor, (3, 4), (4, 1), 0), (11, 2, torch.LongTensor, (4,), (1,), 0),
               (12, 1, torch.FloatTensor, (4, 3), (1, 4), 0), (13, 3, torch.FloatTensor, (2, 2), (2, 1), 0)]
    pickle.dump(len(tensors), out, protocol=2)
    for key, storage, cls, size, stride, offset in tensors:
        pickle.dump((key, storage, cls), out, protocol=2)
        out.write(struct.pack("<ii", len(size), 0))
        out.write(struct.pack(f"<{len(size)}q", *size) + struct.pack(f"<{len(size)}q", *stride) + struct.pack("<q", offset))
    members["tensors"] = out.getvalue()

    class Reference:
        def __init__(self, key):
            self.key = key

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.key if isinstance(value, Reference) else None

    out = io.BytesIO()
    names = collections.OrderedDict(a=Reference(10), b=Reference(11), transposed=Reference(12), view=Reference(13))
    Pickler(out, protocol=2).dump(names)
    members["pickle"] = out.getvalue()
    members["sys_info"] = pickle.dumps({"protocol_version": 1000, "little_endian": True}, protocol=2)
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def main(directory):
    os.makedirs(directory, exist_ok=True)
    at = lambda name: os.path.join(directory, name)
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {"w": base, "t": base.t(), "s": base[1:3, ::2], "e": base[:1].expand(3, 6), "tied": base,
             "h": base.half(), "b": base.bfloat16(), "u": torch.tensor([1, 2, 3], dtype=torch.uint16),
             "c": torch.ones(2, dtype=torch.complex64).conj(), "scalar": torch.tensor(1.5), "empty": torch.empty(0, 3)}
    torch.save(state, at("state_dict.pt"))
    torch.save(state, at("protocol5.pt"), pickle_protocol=5)
    torch.save(state, at("legacy.pt"), _use_new_zipfile_serialization=False)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    model[1].register_buffer("transient", torch.ones(1), persistent=False)
    torch.save(model, at("whole.pt"))
    torch.save(model, at("whole_legacy.pt"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model_state_dict": model.state_dict(), "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("a/b")),
                "history": np.float32(0.5), "means": np.arange(3.0), "seen": {1, 2}}, at("checkpoint.pt"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), at("script.pt"))
    with open(at("plain2.pkl"), "wb") as f:
        pickle.dump({"a": base, "n": np.arange(4.0)}, f, protocol=2)
    with open(at("plain4.pkl"), "wb") as f:
        pickle.dump({"a": base, "n": np.arange(4.0)}, f, protocol=4)
    torch.save({"s": torch.eye(2).to_sparse(), "csr": torch.eye(2).to_sparse_csr(), "p": torch.nn.Parameter(torch.ones(2)),
                "q": torch.quantize_per_tensor(base, 0.1, 3, torch.qint8), "m": torch.empty(2, device="meta")}, at("parts.pt"))
    write_tar(at("tar.pt"))
    write_unusual(at)
    write_differential(at("gopickle"))


class Own:
    """Pickles as a call, with a state that is not a dict."""

    def __init__(self, *_):
        pass

    def __reduce__(self):
        return Own, (torch.ones(1),), (torch.ones(2), {"key": torch.ones(3)})


class Versioned(torch.nn.Linear):
    def __getstate__(self):
        return {"version": 2, "dict": self.__dict__.copy()}


def write_unusual(at):
    """Values that are tensors by rules of their own."""
    as_saved = torch.arange(3).float().numpy()

    class Device:
        def __reduce__(self):
            return torch._utils._rebuild_device_tensor_from_numpy, (as_saved, torch.bfloat16, "cpu", False)

    packed = torch.quantize_per_channel(torch.ones(3, 5), torch.ones(3), torch.zeros(3), 0, torch.quint4x2)
    torch.save({"own": Own(), "device": Device(), "packed": packed, "keys": {1: torch.ones(1), "1": torch.ones(1)},
                "m": Versioned(2, 1, bias=False)}, at("unusual.pt"))
    torch.save({"w": torch.ones(3), "lr": 0.5}, at("legacy1.pt"), pickle_protocol=1, _use_new_zipfile_serialization=False)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    from torch.distributed._shard import sharded_tensor
    from torch.distributed._shard.metadata import ShardMetadata

    local = [sharded_tensor.Shard(torch.ones(1, 2), ShardMetadata([n, 0], [1, 2], "rank:0/cpu")) for n in range(2)]
    torch.save({"w": sharded_tensor.init_from_local_shards(local, 2, 2)}, at("sharded.pt"))
    torch.distributed.destroy_process_group()


def write_differential(directory):
    """Files of everything that gopickle's package pytorch claims to read, in both of its containers."""
    os.makedirs(directory, exist_ok=True)
    ramp = torch.arange(-30, 30, dtype=torch.float64).reshape(3, 4, 5) / 7
    names = ("float32", "float16", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool")
    state = {name: (ramp.abs() if name in ("uint8", "bool") else ramp * 3).to(getattr(torch, name)) for name in names}
    half = state["float16"]
    half[0, 0] = torch.tensor([float("inf"), -float("inf"), 6e-8, -0.0, 65504])
    state |= {"transposed": state["int64"].permute(2, 0, 1), "slice": state["float32"][1:, ::2, 3], "expanded": state["int16"][:1].expand(4, 4, 5),
              "tied": half, "part": state["float64"].view(-1)[17:41], "scalar": torch.tensor(1.5), "empty": torch.empty(0, 3)}
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Linear(3, 2, bias=False))
    nested = {"epoch": 3, "loss": 0.25, "name": "run", "flags": [True, None, (1, "two")], "state_dict": model.state_dict(), "ema": [ramp, {"mean": ramp.mean(0)}]}
    for name, value in {"dtypes": state, "model": model.state_dict(), "nested": nested, "bare": ramp, "list": [ramp, half]}.items():
        torch.save(value, os.path.join(directory, name + ".pt"))
        torch.save(value, os.path.join(directory, name + "_legacy.pt"), _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main(sys.argv[1])
