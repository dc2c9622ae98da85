"""Writes what is no plain state dict, and beside each file what its view should hold.

usage: write_everything.py DIRECTORY; stdout: [{"name", "source", "expected", "objects"?, "hidden"?}]
"""

import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import sys
import types
import warnings
import zipfile

import numpy as np
import torch

import write_modules
import write_seeds

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
cases = []


def plain(tensor):
    return tensor.detach().resolve_conj().resolve_neg().contiguous().clone()


def case(name, expected, path=None, **more):
    """expected: the view by key; path: where the file is."""
    torch.save({k: plain(v) for k, v in expected.items()}, out / f"{name}.expected")
    cases.append({"name": name, "source": str(path or out / f"{name}.pt"), "expected": str(out / f"{name}.expected"), **more})


def save(name, value, expected, legacy=False, more=None, **options):
    torch.save(value, out / f"{name}.pt", _use_new_zipfile_serialization=not legacy, **options)
    case(name, expected, **(more or {}))


# Classes of a module that nobody has any more.
gone = types.ModuleType("models_that_are_gone")
exec("""
import torch
class Block(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv = torch.nn.Conv1d(n, n, 3)
        self.norm = torch.nn.BatchNorm1d(n)
        self.register_buffer("grid", torch.arange(float(n)), persistent=False)
        self.register_buffer("nothing", None)
        self.anchors = torch.ones(2, n)
class Detector(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(3))
        self.blocks = torch.nn.ModuleList([Block(2), Block(3)])
        self.heads = torch.nn.ModuleDict({"a.b".replace(".", "_"): torch.nn.Linear(2, 2)})
        self.rnn = torch.nn.LSTM(2, 3, num_layers=2)
        self.names = ["cat", "dog"]
class Average:
    def __init__(self, module):
        self.ema, self.updates = module, 7
class Attribute(torch.Tensor):
    pass
class Reduced:
    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments
    def __reduce__(self):
        return self.function, self.arguments
""", gone.__dict__)
for value in list(vars(gone).values()):
    if isinstance(value, type) and value.__module__ in ("builtins", "__main__"):
        value.__module__ = gone.__name__
sys.modules[gone.__name__] = gone


def whole_models():
    model = gone.Detector()
    hidden = ["blocks.0.grid", "blocks.0.anchors", "blocks.1.grid", "blocks.1.anchors"]
    save("whole-zip", model, model.state_dict(), more={"hidden": hidden})
    save("whole-legacy", model, model.state_dict(), legacy=True, more={"hidden": hidden})
    save("whole-parallel", torch.nn.DataParallel(model), {f"module.{k}": v for k, v in model.state_dict().items()})
    normed = torch.nn.utils.weight_norm(torch.nn.Linear(3, 2))
    save("whole-list", [normed], {f"0.{k}": v for k, v in normed.state_dict().items()})
    half = gone.Detector().half()
    for legacy in (False, True):
        save(f"whole-in-dict-{legacy}", {"epoch": -1, "model": half, "ema": gone.Average(model), "updates": None},
             half.state_dict(), legacy=legacy, more={"objects": {"epoch": -1}})
    opt = torch.optim.AdamW(model.parameters(), lr=0.25)
    save("training", {"epoch": 4, "best": np.float64(0.5), "model_state_dict": model.state_dict(), "optimizer": opt.state_dict(),
                      "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("runs/1")), "seen": {3}, "big": 2**80,
                      "cls": gone.Average(None), "missing": float("nan")},
         model.state_dict(), more={"objects": {
             "epoch": 4, "best": 0.5, "args": {"class": "argparse.Namespace", "state": {"lr": 0.1, "out": {"class": "pathlib.PurePosixPath", "args": ["runs", "1"]}}},
             "seen": {"set": [3]}, "big": {"int": str(2**80)}, "missing": {"float": "NaN"},
             "cls": {"class": "models_that_are_gone.Average", "state": {"ema": None, "updates": 7}}}})
    cyclic = {"weights": {"a": torch.ones(2)}}
    cyclic["self"] = cyclic
    save("cycle", cyclic, {"a": torch.ones(2)})


def modules():
    """As many of torch's own modules as can be built, in one file: the keys are the state dicts', in order."""
    built = {**dict(write_modules.library()), **write_modules.special()}
    assert len(built) > 180, len(built)
    expected = {f"{name}.{key}": value for name, module in built.items() for key, value in write_modules.state(module).items()}
    for legacy in (False, True):
        save(f"modules-{legacy}", built, expected, legacy=legacy, more={"order": list(expected)})
    for name in ("compiled", "graph", "dynamic", "odd", "tied"):
        save(f"module-{name}", built[name], write_modules.state(built[name]), more={"order": list(write_modules.state(built[name]))})


def scripts():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).eval()
    scripted = torch.jit.script(model)
    scripted.save(out / "script.pt")
    case("script", scripted.state_dict())
    attributes = torch.jit.script(write_modules.Scripted())
    attributes.save(out / "script-attributes.pt")
    case("script-attributes", {"w": attributes.w, "plain": attributes.plain, "list.0": attributes.list[0], "list.1": attributes.list[1],
                               "table.a": attributes.table["a"]})
    frozen = torch.jit.freeze(torch.jit.script(model))
    frozen.save(out / "frozen.pt")
    with zipfile.ZipFile(out / "frozen.pt") as archive:
        constants = [archive.read(f"frozen/constants/{i}") for i in range(len(archive.namelist())) if f"frozen/constants/{i}" in archive.namelist()]
    assert constants
    case("frozen", {f"CONSTANTS.c{i}": torch.frombuffer(bytearray(b), dtype=torch.float32).reshape((4, 3) if len(b) == 48 else (-1,))
                    for i, b in enumerate(constants)})
    traced = torch.jit.trace(model, torch.ones(2, 3))
    traced.save(out / "traced.pt")
    case("traced", traced.state_dict())


def pickles():
    values = {"w": torch.randn(3, 4).t(), "h": torch.ones(5, dtype=torch.bfloat16), "n": np.arange(6.0).reshape(2, 3)}
    expected = {**values, "n": torch.from_numpy(values["n"])}
    big = torch.randn(40_000)
    for protocol in (2, 3, 4, 5):
        path = out / f"plain-{protocol}.pkl"
        with open(path, "wb") as file:
            pickle.dump({**values, "big": big, "bign": big.numpy()}, file, protocol=protocol)
        case(f"plain-{protocol}", {**expected, "big": big, "bign": big}, path)
    kinds = {f"kind_{c}": np.arange(5).astype(c) for c in "?bBhHiIlLefdF"}
    swapped = {f"swapped_{v.dtype.kind}{v.dtype.itemsize}": v.astype(v.dtype.newbyteorder(">")) for v in kinds.values()}
    cut = {"fortran": np.asfortranarray(np.arange(24, dtype=">i4").reshape(2, 3, 4)), "strided": np.arange(20)[::3], "matrix": np.matrix([[1, 2]])}
    left_out = {"masked": np.ma.array([1, 2], mask=[0, 1]), "structured": np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]),
                "date": np.array(["2020-01-01"], dtype="M8[D]"), "unicode": np.array(["a"]), "bytes": np.array([b"a"]), "wide": np.zeros(2, np.longdouble)}
    for protocol in (2, 5):
        path = out / f"numpy-{protocol}.pkl"
        path.write_bytes(pickle.dumps({**kinds, **swapped, **cut, **left_out}, protocol))
        case(f"numpy-{protocol}", {k: torch.from_numpy(np.array(v, dtype=v.dtype.newbyteorder("="), order="C")) for k, v in {**kinds, **swapped, **cut}.items()},
             path, omitted=list(left_out))
    save("storages", {"w": torch.ones(2), "bare": torch.ones(3).untyped_storage()}, {"w": torch.ones(2)}, more={"omitted": ["bare"]})
    save("numpy", {"c": np.arange(6, dtype=np.int16).reshape(2, 3), "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
                   "big": np.arange(5, dtype=">f4"), "flags": np.array([True, False]), "z": np.array([1 + 2j]),
                   "scalar": np.array(3.5), "empty": np.zeros((0, 2)), "objects": np.array([None, {}], dtype=object)},
         {"c": torch.arange(6, dtype=torch.int16).reshape(2, 3), "f": torch.arange(12.0, dtype=torch.float64).reshape(3, 4),
          "big": torch.arange(5.0), "flags": torch.tensor([True, False]), "scalar": torch.tensor(3.5, dtype=torch.float64),
          "empty": torch.zeros(0, 2, dtype=torch.float64)})

    # What Python 2 wrote: OrderedDict with its entries as an argument, and str as bytes.
    class Python2(pickle._Pickler):
        dispatch = dict(pickle._Pickler.dispatch)

        def save_text(self, text):
            raw = text.encode()
            self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
            self.memoize(text)

        dispatch[str] = save_text

        def reducer_override(self, value):
            if type(value) is collections.OrderedDict:
                return collections.OrderedDict, ([[k, v] for k, v in value.items()],)
            return NotImplemented

    module = types.SimpleNamespace(Pickler=Python2, dump=lambda v, f, protocol=2: Python2(f, protocol).dump(v), __name__="pickle")
    state = collections.OrderedDict(a=torch.randn(3, 2), b=torch.arange(4))
    for legacy in (True, False):
        save(f"python2-{legacy}", state, state, legacy=legacy, pickle_module=module)


def rebuilds():
    base = torch.arange(24.0).reshape(4, 6)
    storage = base.untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    attributed = torch.ones(3, 2)
    attributed.note = "kept"
    parameter = torch.nn.Parameter(torch.rand(2))
    parameter.extra = 5
    sub = torch.rand(2, 2).as_subclass(gone.Attribute)
    save("rebuilds", {"v1": gone.Reduced(torch._utils._rebuild_tensor, (typed, 1, (2, 3), (1, 6))), "v2": base.t(),
                      "v3": torch.tensor([1, 2], dtype=torch.uint32), "attributed": attributed, "parameter": parameter,
                      "subclass": sub, "frozen": torch.nn.Parameter(base, requires_grad=False), "buffer": torch.nn.Buffer(torch.rand(3)),
                      "cpu": gone.Reduced(torch._utils._rebuild_device_tensor_from_cpu_tensor, (base, torch.float32, "cpu", False)),
                      "numpy": gone.Reduced(torch._utils._rebuild_device_tensor_from_numpy, (base.numpy(), torch.float32, "cpu", False))},
         {"v1": base.as_strided((2, 3), (1, 6), 1), "v2": base.t(), "v3": torch.tensor([1, 2], dtype=torch.uint32),
          "attributed": attributed, "parameter": parameter, "subclass": sub.as_subclass(torch.Tensor), "frozen": base,
          "buffer": torch.zeros(0), "cpu": base, "numpy": base})
    loaded = torch.load(out / "rebuilds.pt", weights_only=False)
    case("rebuilds", {k: v.as_subclass(torch.Tensor) for k, v in loaded.items()}, omit=None)
    cases.pop(-2)

    q = torch.quantize_per_tensor(base, 0.5, 3, torch.qint8)
    c = torch.quantize_per_channel(base, torch.tensor([0.5, 1.0, 2.0, 4.0]), torch.tensor([0, 1, 2, 3]), 0, torch.quint8)
    eye = torch.eye(4)
    coo, csr, csc, bsr = eye.to_sparse(), eye.to_sparse_csr(), eye.to_sparse_csc(), eye.to_sparse_bsr((2, 2))
    jagged = torch.nested.nested_tensor([torch.ones(2, 3), torch.zeros(1, 3)], layout=torch.jagged)
    expected = {
        "q.int_repr": q.int_repr(), "q.scale": torch.tensor(q.q_scale(), dtype=torch.float64), "q.zero_point": torch.tensor(q.q_zero_point()),
        "c.int_repr": c.int_repr(), "c.scale": c.q_per_channel_scales(), "c.zero_point": c.q_per_channel_zero_points(), "c.axis": torch.tensor(0),
        "coo.indices": coo.indices(), "coo.values": coo.values(), "coo.size": torch.tensor([4, 4]),
        "csr.crow_indices": csr.crow_indices(), "csr.col_indices": csr.col_indices(), "csr.values": csr.values(), "csr.size": torch.tensor([4, 4]),
        "csc.ccol_indices": csc.ccol_indices(), "csc.row_indices": csc.row_indices(), "csc.values": csc.values(), "csc.size": torch.tensor([4, 4]),
        "bsr.crow_indices": bsr.crow_indices(), "bsr.col_indices": bsr.col_indices(), "bsr.values": bsr.values(), "bsr.size": torch.tensor([4, 4]),
    }
    save("parts", {"q": q, "c": c, "coo": coo, "csr": csr, "csc": csc, "bsr": bsr, "meta": torch.empty(3, device="meta")}, expected,
         more={"omitted": ["meta"]})
    nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.zeros(1, 3)])
    save("nested-tensors", {"n": nested}, {"n.values": nested.values() if hasattr(nested, "values") and nested.layout == torch.jagged else torch.cat([torch.ones(6), torch.zeros(3)]),
                                          "n.sizes": nested._nested_tensor_size(), "n.strides": nested._nested_tensor_strides(),
                                          "n.offsets": nested._nested_tensor_storage_offsets()})
    save("jagged", {"j": jagged}, {"j.values": jagged.values(), "j.offsets": jagged.offsets()}, more={"subset": True})
    save_distributed(base)


def save_distributed(base):
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    sharded = distribute_tensor(base, mesh, [Shard(0)])
    save("dtensor", {"w": sharded, "b": torch.ones(2)}, {"w": sharded.to_local(), "b": torch.ones(2)})
    dist.destroy_process_group()


def containers():
    state = {"a": torch.arange(6.0).reshape(2, 3), "h": torch.ones(4, dtype=torch.float16), "i": torch.arange(3),
             "c": torch.randn(2, dtype=torch.complex64), "u": torch.tensor([1, 258], dtype=torch.uint16), "t": torch.arange(12.0).reshape(3, 4).t()}
    save("legacy", state, state, legacy=True)
    save("legacy-protocol-4", state, state, legacy=True, pickle_protocol=4)
    write_seeds.write_tar(out / "tar.pt")
    case("tar", torch.load(out / "tar.pt", weights_only=False))

    # Storages of a big-endian machine, as torch.save leaves them there.
    torch.save(state, out / "little.pt")
    sizes = {"a": 4, "h": 2, "i": 8, "c": 4, "u": 0, "t": 4}
    with zipfile.ZipFile(out / "little.pt") as old, zipfile.ZipFile(out / "big-endian.pt", "w") as new:
        for info in old.infolist():
            data = old.read(info)
            name = info.filename.rpartition("/")[2]
            if info.filename.endswith("byteorder"):
                data = b"big"
            elif "/data/" in info.filename and (width := list(sizes.values())[int(name)]):
                data = np.frombuffer(data, f"<u{width}").byteswap().tobytes()
            new.writestr(info.filename, data)
    case("big-endian", torch.load(out / "big-endian.pt"))
    for name in ("a", "h", "i", "c", "t"):
        assert torch.equal(torch.load(out / "big-endian.pt")[name], state[name]), name


def main():
    torch.manual_seed(5)
    whole_models()
    modules()
    scripts()
    pickles()
    rebuilds()
    containers()
    json.dump(cases, sys.stdout)


main()
