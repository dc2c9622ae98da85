"""Writes sources for wfs cp, and a list of them to stdout.

stdout: [{name, source, files, root}]: files are the weight files that the source consists of, and root is the key below
which the first of them has the state dict, if it has one.
"""

import json
import pathlib
import sys

import safetensors.torch
import torch

out = pathlib.Path(sys.argv[1])
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint8,
          torch.int16, torch.int32, torch.int64, torch.bool, torch.complex64)


def everything():
    """A tensor of each dtype, and tied, transposed, expanded, empty, scalar and zero ones."""
    tensors = {f"dtype.{dtype}".replace("torch.", ""): (torch.randn(7, 33) * 4).to(dtype) for dtype in DTYPES}
    tied = torch.randn(64, 32)
    return tensors | {"tied.a": tied, "tied.b": tied, "transposed": torch.randn(50, 70).T, "expanded": torch.randn(1, 9).expand(20, 9),
                      "empty": torch.empty(0, 3), "scalar": torch.tensor(2.5), "zeros": torch.zeros(1 << 20), "large": torch.randn(3 << 20)}


def shards(directory, stem, ending, save):
    """An index and two shards."""
    directory.mkdir()
    weights = {}
    for number in (1, 2):
        tensors = {f"model.layers.{i}.weight": torch.randn(40, 30).to(torch.bfloat16) for i in range(number * 10, number * 10 + 5)}
        file = f"{stem}-0000{number}-of-00002{ending}"
        save(tensors, directory / file)
        weights |= dict.fromkeys(tensors, file)
    (directory / f"{stem}{ending}.index.json").write_text(json.dumps({"metadata": {"total_size": 24000}, "weight_map": weights}))
    (directory / "config.json").write_text("{}")
    return sorted(set(weights.values()))


def main():
    torch.manual_seed(7)
    torch.save(everything(), out / "everything.pt")
    older = {key: tensor for key, tensor in everything().items() if "float8" not in key}  # which torch cannot load of such a file
    torch.save(older, out / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model_state_dict": everything(), "optimizer_state_dict": {"state": {0: torch.randn(3)}}}, out / "checkpoint.pt")
    safetensors.torch.save_file({"a": torch.randn(30, 40), "b": torch.arange(5)}, out / "plain.safetensors", metadata={"format": "pt", "by": "test"})
    cases = [{"name": name, "source": name, "files": [name], "root": ""} for name in ("everything.pt", "legacy.pt", "plain.safetensors")]
    cases.append({"name": "checkpoint.pt", "source": "checkpoint.pt", "files": ["checkpoint.pt"], "root": "model_state_dict"})
    cases.append({"name": "bins", "source": "bins", "root": "", "files": [
        f"bins/{f}" for f in shards(out / "bins", "pytorch_model", ".bin", torch.save)]})
    cases.append({"name": "shards", "source": "shards", "root": "", "files": [
        f"shards/{f}" for f in shards(out / "shards", "model", ".safetensors", lambda t, p: safetensors.torch.save_file(t, p, {"format": "pt"}))]})
    for case in cases:
        case["source"] = str(out / case["source"])
        case["files"] = [str(out / file) for file in case["files"]]
    json.dump(cases, sys.stdout)


main()
