"""Real modules of torch, as many kinds as can be built, and their state dicts. Imported by write_everything.py."""

import inspect

import torch
import torch.nn.utils.prune
from torch import nn

# What a constructor cannot do with the numbers tried below.
ARGUMENTS = {
    "AdaptiveLogSoftmaxWithLoss": (8, 20, [5, 10]), "MultiheadAttention": (8, 2), "TransformerEncoderLayer": (8, 2, 16),
    "TransformerDecoderLayer": (8, 2, 16), "Transformer": (8, 2, 1, 1, 16), "ChannelShuffle": (2,), "Unflatten": (1, (2, 2)),
    "GroupNorm": (2, 4), "ParameterList": ([torch.rand(2), torch.rand(3)],), "ModuleList": ([nn.Linear(2, 2)],),
    "ParameterDict": ({"x": torch.rand(2), "y": nn.Parameter(torch.rand(1)), "n": None},), "ModuleDict": ({"d": nn.Linear(2, 2)},),
    "Sequential": (nn.Linear(2, 2), nn.ReLU()), "CrossEntropyLoss": (torch.rand(4),), "NLLLoss": (torch.rand(4),),
    "DataParallel": (nn.Linear(2, 2),),
}
GUESSES = (), (2,), (2, 3), (2, 3, 1), (2, 2, 2, 2), ((2, 2),)


def build(cls):
    if cls.__name__ in ("TransformerEncoder", "TransformerDecoder"):
        return cls(getattr(nn, cls.__name__ + "Layer")(8, 2, 16), 2)
    for arguments in [ARGUMENTS[cls.__name__]] if cls.__name__ in ARGUMENTS else GUESSES:
        try:
            return cls(*arguments)
        except Exception:
            pass
    return None


def library():
    """Every module class of torch.nn and of its quantized twins that can be built."""
    for package in (torch.nn, torch.ao.nn.quantized, torch.ao.nn.quantized.dynamic):
        for name, cls in inspect.getmembers(package, inspect.isclass):
            if issubclass(cls, nn.Module) and (module := build(cls)) is not None:
                yield f"{package.__name__}.{name}".replace(".", "_"), module


class Odd(nn.Module):
    """Attributes that are no part of the state dict, names and strides that are seldom."""
    __slots__ = ("slot",)

    def __init__(self):
        super().__init__()
        self.slot, self.outside, self.table = torch.ones(2), [nn.Linear(2, 2)], {"q": torch.ones(2)}
        self.register_parameter("none", None)
        self.register_module("absent", None)
        self._parameters["dotted.name"] = nn.Parameter(torch.rand(2))
        self._parameters[""] = nn.Parameter(torch.rand(1))
        self.strided = nn.Parameter(torch.rand(3, 2).t())
        self.complex = nn.Parameter(torch.rand(2, dtype=torch.complex64))


class Scripted(nn.Module):
    """For TorchScript, which writes lists and dicts with their types."""

    def __init__(self):
        super().__init__()
        self.w, self.plain = nn.Parameter(torch.rand(2)), torch.rand(3)
        self.list, self.table = [torch.rand(1), torch.rand(2)], {"a": torch.rand(2)}

    def forward(self, x):
        return x + self.w + self.plain.sum() + self.list[0] + self.table["a"]


def special():
    tied = nn.Linear(4, 4)
    tied.weight = nn.Parameter(torch.rand(4, 4))
    other = nn.Linear(4, 4)
    other.weight = tied.weight
    pruned = nn.Linear(4, 4)
    nn.utils.prune.random_unstructured(pruned, "weight", 0.5)
    quantized = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).eval()
    return {
        "odd": Odd(), "tied": nn.Sequential(tied, other, tied), "weight_norm": nn.utils.weight_norm(nn.Linear(3, 2)),
        "spectral_norm": nn.utils.spectral_norm(nn.Linear(3, 2)), "pruned": pruned,
        "lstm": nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2), "half": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).half(),
        "average": torch.optim.swa_utils.AveragedModel(nn.Linear(2, 2)), "compiled": torch.compile(nn.Linear(2, 2)),
        "graph": torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2), nn.ReLU())),
        "dynamic": torch.ao.quantization.quantize_dynamic(quantized, {nn.Linear}, dtype=torch.qint8),
    }


def parts(key, value):
    """The tensors of an entry of a state dict, under the keys that wfs gives them."""
    if isinstance(value, torch.ScriptObject):
        value = value.__getstate__()[0]
    if isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from parts(f"{key}.{i}", item)
    elif not isinstance(value, torch.Tensor) or nn.parameter.is_lazy(value):
        return
    elif not value.is_quantized:
        yield key, value
    elif value.qscheme() == torch.per_tensor_affine:
        yield f"{key}.int_repr", value.int_repr()
        yield f"{key}.scale", torch.tensor(value.q_scale(), dtype=torch.float64)
        yield f"{key}.zero_point", torch.tensor(value.q_zero_point())
    else:
        yield f"{key}.int_repr", value.int_repr()
        yield f"{key}.scale", value.q_per_channel_scales()
        yield f"{key}.zero_point", value.q_per_channel_zero_points()
        yield f"{key}.axis", torch.tensor(value.q_per_channel_axis())


def state(module):
    """The view of a module: its state dict, in order."""
    return {k: v for key, value in module.state_dict().items() for k, v in parts(key, value)}
