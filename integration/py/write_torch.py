"""Writes a checkpoint for every row of the torch formats into a directory, and a list of them to stdout."""

import json
import pathlib
import sys
import zipfile
from collections import OrderedDict

import torch

import bits

out = pathlib.Path(sys.argv[1])
cases = []


def case(name, value, root="", **options):
    torch.save(value, out / f"{name}.pt", **options)
    cases.append({"name": name, "source": str(out / f"{name}.pt"), "root": root})


def random_bits(dtype, *shape):
    """Every bit pattern: NaN payloads, infinities, denormals, negative zeros."""
    if dtype == torch.bool:
        return torch.rand(*shape) > 0.5
    size = torch.tensor([], dtype=dtype).element_size()
    return torch.randint(0, 256, (*shape[:-1], shape[-1] * size), dtype=torch.uint8).view(dtype)


def rezip(name, method):
    """Writes a checkpoint again with Python's zip module, which aligns nothing."""
    source, target = out / "protocol-2.pt", out / f"{name}.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info), method)
    cases.append({"name": name, "source": str(target), "root": ""})


def main():
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3))
    for protocol in (2, 3, 4, 5):
        case(f"protocol-{protocol}", model.state_dict(), pickle_protocol=protocol)
    rezip("stored-unaligned", zipfile.ZIP_STORED)
    rezip("deflated", zipfile.ZIP_DEFLATED)

    dtypes = [*bits.SAFETENSORS, torch.complex128]
    case("dtypes", {str(d).removeprefix("torch."): random_bits(d, 6, 34) for d in dtypes})
    case("dtypes-scalar", {str(d).removeprefix("torch."): random_bits(d, 1).reshape(()) for d in dtypes
                           if d != torch.float4_e2m1fn_x2})
    case("dtypes-empty", {f"{d}".removeprefix("torch."): torch.empty((3, 0, 2), dtype=d) for d in dtypes})
    case("every-bfloat16", {"all": torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)})
    case("every-byte", {str(d).removeprefix("torch."): torch.arange(256, dtype=torch.int32).to(torch.uint8).view(d)
                        for d in bits.NAMELESS if d != torch.bfloat16})
    case("empty", {})
    case("parameters-buffers", OrderedDict(
        p=torch.nn.Parameter(torch.randn(4, 6)), frozen=torch.nn.Parameter(torch.randn(3), requires_grad=False),
        b=torch.nn.Buffer(torch.randn(5)), leaf=torch.randn(2, requires_grad=True)))

    shared = torch.randn(8, 16)
    case("tied", {"embed.weight": shared, "lm_head.weight": shared, "alias": shared.view(8, 16),
                  "other_shape": shared.view(16, 8), "rows": shared[2:5]})

    base = torch.arange(4 * 6 * 10 * 12, dtype=torch.float32).reshape(4, 6, 10, 12)
    flat = base.reshape(24, 120)
    case("strided", {
        "offset": flat[3:9], "column": flat[:, 7], "step": flat[::5, 1::7], "transposed": flat.t(),
        "permuted": base.permute(2, 0, 3, 1), "expanded": flat[:1].expand(50, 120),
        "expanded_scalar": torch.tensor(7.5).expand(3, 4), "diagonal": torch.diagonal(base, dim1=0, dim2=3),
        "channels_last": base.contiguous(memory_format=torch.channels_last),
        "overlapping": torch.arange(20.0).as_strided((6, 8), (2, 1)),
        "small_types": torch.arange(240, dtype=torch.uint8).reshape(12, 20).t(),
        "half": torch.randn(30, 40, dtype=torch.float16).t(), "bf16": torch.randn(30, 40).bfloat16().t(),
        "wide": torch.randn(300, 1200).t(), "one": base[1:2, 2:3, 3:4, 4:5], "none": base[:, 2:2].permute(3, 2, 1, 0),
        "unsqueezed": flat[:, :1].t().unsqueeze(1), "complex": torch.randn(5, 7, dtype=torch.complex64).t(),
    })
    z, w = torch.randn(6, 5, dtype=torch.complex64), torch.randn(6, 5, dtype=torch.complex64)
    negative = w.conj().imag
    case("conjugated", {"conj": z.conj(), "adjoint": z.mH, "slice": z.conj()[1:4, ::2],
                        "neg": negative, "neg_transposed": negative.t(), "real": w.real, "imag": w.imag,
                        "conj128": torch.randn(4, dtype=torch.complex128).conj()})
    case("nested", {"epoch": 3, "lr": 1e-3, "name": "x", "args": {"layers": (1, 2)},
                    "state_dict": model.state_dict(), "history": [torch.randn(2), (torch.randn(3), [torch.randn(1)])],
                    "optimizer": {"state": {0: {"exp_avg": torch.randn(4), "step": torch.tensor(1.0)}}}},
         root="state_dict")
    case("optimizer", train(model), root="model_state_dict")
    case("list", [torch.randn(3), {"a": torch.randn(2)}, (torch.randn(1),)])
    case("bare", torch.randn(3, 4))
    case("many-dimensions", {"x": torch.randn(1, 2, 1, 3, 1, 2, 1, 2).permute(7, 6, 5, 4, 3, 2, 1, 0)})
    json.dump(cases, sys.stdout)


def train(model):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):
        model(torch.randn(6, 7)).square().sum().backward()
        optimizer.step()
    return {"epoch": 1, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}


main()
