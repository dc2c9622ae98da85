"""Writes files whose tensors lie where they are easily missed, or that torch reads by rules of their own.

usage: write_unusual.py DIRECTORY; stdout: [{"name", "source", "expected", "notes", "hidden"?, "omitted"?, "objects"?}]
notes: what the notes on the file say, each a part of one; none means that there are none.
"""

import collections
import dataclasses
import enum
import functools
import io
import json
import pathlib
import pickle
import sys
import warnings
import zipfile

import numpy as np
import torch
from torch import nn
from torch.ao import quantization

import write_modules

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
cases = []


def case(name, expected, notes=(), **more):
    torch.save({k: v.detach().contiguous().clone() for k, v in expected.items()}, out / f"{name}.expected")
    cases.append({"name": name, "source": str(out / f"{name}.pt"), "expected": str(out / f"{name}.expected"), "notes": list(notes), **more})


def save(name, value, expected, notes=(), options={}, **more):
    torch.save(value, out / f"{name}.pt", **options)
    case(name, expected, notes, **more)


def tensor(n):
    return torch.arange(float(n))


class State:
    """Pickles the state that it is given."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


class Call:
    """Pickles as a call, with all that __reduce__ may return."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def anything(*arguments, **options):
    return State((arguments, options))


@dataclasses.dataclass(slots=True)
class Slots:
    weight: torch.Tensor


Named = collections.namedtuple("Named", "first second")


class Base(list):
    pass


class Keyword:
    def __new__(cls, *, weight):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (), {"weight": tensor(21)}


def states():
    filled = Base([tensor(11)])
    filled.extra = tensor(12)
    values = {
        "pair": State((tensor(2), tensor(3))), "list": State([tensor(4), {"key": tensor(5)}]), "bare": State(tensor(6)),
        "mixed": State((1, {"key": tensor(7)}, [tensor(8)])), "two": State((tensor(9), {"key": tensor(10)})),
        "inner": State(State((tensor(13),))), "call": Call(anything, (tensor(14),), {"note": tensor(15)}),
        "reduced": Call(State, (None,), (tensor(16), None)), "slots": Slots(tensor(17)), "named": Named(tensor(18), tensor(19)),
        "keyword": Keyword(weight=None), "queue": collections.deque([tensor(22)], 3), "base": filled, "set": {tensor(20)},
        "partial": functools.partial(anything, tensor(23), weight=tensor(24)), "rng": torch.Generator().manual_seed(1), "control": tensor(1),
    }
    expected = {
        "pair.0": tensor(2), "pair.1": tensor(3), "list.0": tensor(4), "list.1.key": tensor(5), "bare": tensor(6), "mixed.1.key": tensor(7),
        "mixed.2.0": tensor(8), "two.0": tensor(9), "two.1.key": tensor(10), "inner.0": tensor(13), "call.0": tensor(14), "call.note": tensor(15),
        "reduced.0": tensor(16), "slots.weight": tensor(17), "named.0": tensor(18), "named.1": tensor(19), "keyword.weight": tensor(21),
        "queue.0": tensor(22), "base.0": tensor(11), "base.extra": tensor(12), "set.0": tensor(20), "partial.1.0": tensor(23),
        "partial.2.weight": tensor(24), "rng.2": values["rng"].get_state(), "control": tensor(1),
    }
    for protocol in (2, 4):
        save(f"states-{protocol}", values, expected, notes=["numbers for keys"], options={"pickle_protocol": protocol})
    save("states-legacy", values, expected, notes=["numbers for keys"], options={"_use_new_zipfile_serialization": False})


class Versioned(nn.Module):
    """Pickles its __dict__ in something else."""

    def __init__(self, wrap):
        super().__init__()
        self.inner, self.wrap = nn.BatchNorm1d(2), wrap
        self.register_buffer("grid", tensor(3), persistent=False)

    def __getstate__(self):
        return wraps[self.wrap](self.__dict__.copy())

    def __setstate__(self, state):
        self.__dict__.update(unwraps[type(state)](state))


wraps = {"dict": lambda d: {"version": 2, "dict": d}, "tuple": lambda d: (2, d), "list": lambda d: [d, tensor(4)]}
unwraps = {dict: lambda s: s["dict"], tuple: lambda s: s[1], list: lambda s: s[0]}


class Rebuilt(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def __reduce__(self):
        return Rebuilt, (self.weight.data,)


class Stateful(nn.Module):
    """Pickles its state dict."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def __getstate__(self):
        return {"state_dict": self.state_dict(), "size": 2}

    def __setstate__(self, state):
        self.__init__()
        self.load_state_dict(state["state_dict"])


def rebuild_module(cls, version, state):
    module = cls.__new__(cls)
    nn.Module.__init__(module)
    if isinstance(state, collections.OrderedDict):
        module.layer = nn.Linear(2, 2)
        module.load_state_dict(state)
    else:
        module.__dict__.update(state)
    return module


class Reduced(nn.Linear):
    """Pickles its __dict__ as an argument."""

    def __reduce__(self):
        return rebuild_module, (type(self), 1, self.__dict__)


class Loaded(nn.Module):
    """Pickles its state dict as an argument."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def __reduce__(self):
        return rebuild_module, (type(self), 1, self.state_dict())


class Holder(nn.Module):
    """Holds tensors and modules where its state dict has none."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(tensor(2))
        self.rnn = nn.LSTM(2, 2)
        self.caches, self.table = [tensor(5), self.w], {"a": (tensor(6),)}
        self.loose = [nn.Linear(1, 1, bias=False), self.rnn]
        self.w.scale = tensor(7)


def modules():
    own = nn.Sequential(*(Versioned(wrap) for wrap in wraps), Reduced(2, 1), Loaded())
    expected = own.state_dict()
    save("module-getstate", own, expected, notes=["lacks 1 tensor that a module has as a plain attribute"], hidden=["0.grid", "1.grid", "2.grid", "2.1"])
    assert torch.load(out / "module-getstate.pt", weights_only=False).state_dict().keys() == expected.keys()
    mixed = nn.Sequential(Rebuilt(tensor(3)), nn.Linear(2, 1), Stateful())
    expected = {"0.0" if k == "0.weight" else k: v for k, v in mixed.state_dict().items()}
    save("module-own", mixed, expected, notes=['pickled in a way of their own: 1 ("0")'], order=list(expected))
    holder = Holder()
    save("module-attributes", holder, holder.state_dict(), notes=["lacks 3 tensors that a module has as a plain attribute"],
         hidden=["caches.0", "table.a.0", "loose.0.weight", "w.scale"])


class Quantized(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.linear = nn.Conv2d(1, 2, 3), nn.Linear(2, 3)

    def forward(self, x):
        return self.dequant(self.linear(self.conv(self.quant(x)).mean((2, 3))))


def scripted():
    torch.backends.quantized.engine = "fbgemm"
    net = Quantized().eval()
    net.qconfig = quantization.get_default_qconfig("fbgemm")
    prepared = quantization.prepare(net)
    prepared(torch.randn(2, 1, 5, 5))
    static = quantization.convert(prepared)
    dynamic = quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3), nn.LSTM(3, 2)), {nn.Linear, nn.LSTM}, torch.qint8)
    for name, model in (("static", static), ("dynamic", dynamic[:1]), ("embedding", nn.Sequential(torch.ao.nn.quantized.EmbeddingBag(10, 12)))):
        torch.jit.script(model).save(out / f"scripted-{name}.pt")
        expected = {}
        for key, value in write_modules.state(model).items():
            if name == "embedding":
                key = key.replace("_packed_weight.", "_packed_weight.1.0.")
            if key.split(".")[-2] == "conv" or "packed" in key or key.startswith("quant."):  # others are numbers in TorchScript
                expected[key] = value
        case(f"scripted-{name}", expected, subset=True)


def packed():
    values, expected = {"fc": tensor(3)}, {"fc": tensor(3)}
    for dtype in (torch.quint4x2, torch.quint2x4):
        for shape in ((10, 12), (3, 5), (0, 4)):
            name = f"{dtype}".removeprefix("torch.") + "x".join(map(str, shape))
            if 0 in shape:
                continue
            q = torch.quantize_per_channel(torch.randn(shape), torch.rand(shape[0]) + 0.1, torch.zeros(shape[0]), 0, dtype)
            values[name] = q
            expected |= dict(write_modules.parts(name, q)) | {f"{name}.size": torch.tensor(shape)}
    for legacy in (False, True):
        save(f"packed-{legacy}", values, expected, options={"_use_new_zipfile_serialization": not legacy})
    embedding = torch.ao.nn.quantized.EmbeddingBag(10, 12, dtype=torch.quint4x2)
    save("packed-embedding", embedding, write_modules.state(embedding))


def devices():
    """Tensors of devices that are pickled through NumPy or the CPU: the dtype is an argument."""
    floats = torch.cat([torch.randn(64) * 10.0 ** torch.randint(-9, 6, (64,)), torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 65519.0, 65520.0, 6e-8, 2e-8])])
    saved, expected = {}, {}
    for dtype in (torch.bfloat16, torch.float16, torch.float64, torch.float32):
        for source in (torch.float32, torch.float64, torch.float16):
            key = f"{source}-{dtype}".replace("torch.", "")
            array = floats.to(source).numpy()
            saved[f"{key}-numpy"] = Call(torch._utils._rebuild_device_tensor_from_numpy, (array, dtype, "cpu", False))
            saved[f"{key}-cpu"] = Call(torch._utils._rebuild_device_tensor_from_cpu_tensor, (torch.from_numpy(array), dtype, "cpu", False))
            for way in ("numpy", "cpu"):
                expected[f"{key}-{way}"] = torch.from_numpy(array).to(dtype)
    save("devices", saved, expected)
    loaded = torch.load(out / "devices.pt", weights_only=False)
    assert all(loaded[key].dtype == value.dtype for key, value in expected.items())
    save("devices-as-saved", {"w": Call(torch._utils._rebuild_device_tensor_from_numpy, (np.arange(3), torch.float32, "cpu", False))},
         {"w": torch.arange(3)}, notes=['not the one that torch loads them as: 1 ("w")'])


def protocols():
    value = {"w": tensor(3), "half": tensor(2).half(), "lr": 0.5, "text": "é\n'"}
    tensors = {"w": tensor(3), "half": tensor(2).half()}
    for legacy in (False, True):
        save(f"protocol1-{legacy}", value, tensors, objects={"lr": 0.5, "text": "é\n'"},
             options={"pickle_protocol": 1, "_use_new_zipfile_serialization": not legacy})


class Mode(enum.Enum):
    TRAIN = "train"
    EVAL = "eval"


def keys():
    mode = "__main__.Mode"
    save("keys", {
        "w": tensor(1), "enum": {Mode.TRAIN: 1, Mode.EVAL: 2}, "text": {1: "number", "1": "text"}, "clash": {1: 1, "1": 2, "1#2": 3},
        "set": {frozenset([1]): 1, frozenset([2]): 2}, "tuple": {(1, (2, 3)): 1, (1, (4, 5)): 2}, "bytes": {b"a": 1, "a": 2},
        "tensors": {1: tensor(2), "1": tensor(3), "n": 5}, "bad": {"\udcff": 1, "\udcfe": 2},
    }, {"w": tensor(1), "tensors.1": tensor(2), "tensors.1#2": tensor(3)}, objects={
        "enum": {mode: 1, f"{mode}#2": 2}, "text": {"1": "number", "1#2": "text"}, "clash": {"1": 1, "1#2": 2, "1#2#2": 3},
        "tuple": {"(1, (…))": 1, "(1, (…))#2": 2}, "bytes": {"a": 1, "a#2": 2},
    })
    parameters = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = torch.optim.Adam(parameters)
    sum(p.sum() for p in parameters).backward()
    optimizer.step()
    name = "state.torch._utils._rebuild_parameter"
    states = [optimizer.state[p] for p in parameters]
    save("optimizer", optimizer, {
        **{f"{name}{suffix}.{k}": v for suffix, state in zip(("", "#2"), states) for k, v in state.items()},
        **{f"param_groups.0.params.{i}": p for i, p in enumerate(parameters)},
    })


def shards():
    torch.distributed.init_process_group("gloo", init_method=f"file://{out}/store", rank=0, world_size=1)
    from torch.distributed._shard import sharded_tensor
    from torch.distributed._shard.metadata import ShardMetadata
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    def sharded(*at):
        local = [sharded_tensor.Shard(torch.rand(3, 4), ShardMetadata([n, 0], [3, 4], "rank:0/cpu")) for n in at]
        return sharded_tensor.init_from_local_shards(local, 3 * len(at), 4), [shard.tensor for shard in local]

    one, (whole,) = sharded(0)
    two, local = sharded(0, 3)
    expected = {"one": whole, "b": tensor(3), "two.size": torch.tensor([6, 4])}
    for i, part in enumerate(local):
        at = f"two.local_shards.{i}."
        expected |= {f"{at}tensor": part, f"{at}shard_offsets": torch.tensor([3 * i, 0]), f"{at}shard_sizes": torch.tensor([3, 4])}
    save("sharded", {"one": one, "two": two, "b": tensor(3)}, expected, notes=["saved as the shards of a rank, not as a whole: 1"])
    distributed = distribute_tensor(torch.rand(6, 2), init_device_mesh("cpu", (1,)), [Shard(0)])
    save("distributed", {"d": distributed, "p": nn.Parameter(distributed)}, {"d": distributed.to_local(), "p": distributed.to_local()})
    torch.distributed.destroy_process_group()


def placeholders():
    shapes = [collections.OrderedDict({f"layer.{i}.weight": torch.Size([4, 4]) for i in range(5)})]
    module = {f"layer.{i}.weight": torch.empty(0) for i in range(5)} | {"norm": tensor(2)}
    notes = ["5 of 6 tensors have shape (0,): placeholders, as ZeRO-3", "takes the state dict at module"]
    expected = {k: v for k, v in module.items()}
    save("zero3", {"module": module, "param_shapes": shapes, "ds_version": "0.15"}, expected, notes=notes)


def census():
    inner = io.BytesIO()
    torch.save({"x": tensor(3)}, inner)
    for protocol in (2, 4):
        options = {"pickle_protocol": protocol}
        save(f"nested-{protocol}", {"w": tensor(2), "extra": inner.getvalue()}, {"w": tensor(2)}, options=options,
             omitted=["extra"], notes=['lacks "extra" (bytes that are a torch file'])
        save(f"stream-{protocol}", {"w": tensor(2), "m._extra_state": inner}, {"w": tensor(2)}, options=options,
             omitted=["m._extra_state.0"], notes=['lacks "m._extra_state.0" (bytes that are a torch file'])
    lone = io.BytesIO()
    torch.save(tensor(2) + 7, lone)
    loads = Call(torch.storage._load_from_bytes, (lone.getvalue(),))
    save("nested-tensor", {"w": tensor(2), "x": loads}, {"w": tensor(2), "x": tensor(2) + 7})
    torch.save({"w": tensor(2)}, out / "record.pt")
    with zipfile.ZipFile(out / "record.pt", "a") as archive:
        for i in range(3):
            archive.writestr(f"record/data/{7 + i}", b"1234")
    assert torch.load(out / "record.pt")["w"].shape == (2,)
    case("record", {"w": tensor(2)}, ["3 storages (12 bytes) belong to no listed tensor"])
    # What is keyed by tensors alone: the keys are no path.
    save("tensor-keys", {"w": tensor(2), "grads": {nn.Parameter(tensor(3)): 1}}, {"w": tensor(2)}, notes=["1 storage (12 bytes) belongs to no listed tensor"])
    save("storage", {"w": tensor(2), "s": tensor(4).untyped_storage()}, {"w": tensor(2)}, omitted=["s"], notes=['lacks "s" (a storage by itself'])
    (out / "plain.pt").write_bytes(pickle.dumps({"w": tensor(2), "more": [tensor(3)]}))
    case("plain", {"w": tensor(2), "more.0": tensor(3)})


def lacking():
    save("complex", {"w": tensor(2), "c": torch.ones(3, dtype=torch.complex128)}, {"w": tensor(2)},
         notes=["lacks 1 tensor of C128, which safetensors does not have"])
    save("empty", {"epoch": 3}, {}, notes=["the view is empty: the source holds no tensor"])
    save("all-complex", {"c": torch.ones(3, dtype=torch.complex128)}, {}, notes=["the view is empty: it lacks 1 tensor of C128"])
    save("meta", {"w": tensor(1), "m": torch.empty(3, device="meta")}, {"w": tensor(1)}, omitted=["m"], notes=['lacks "m" (meta tensor'])
    buffered = nn.Module()
    buffered.register_buffer("kept", tensor(2))
    buffered.register_buffer("grid", tensor(3), persistent=False)
    save("ordinary", buffered, {"kept": tensor(2)}, hidden=["grid"])


for write in (states, modules, scripted, packed, devices, protocols, keys, shards, placeholders, census, lacking):
    write()
json.dump(cases, sys.stdout)
