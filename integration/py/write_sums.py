"""Writes one model in many files, and its sums as the manual of wfs defines them, by torch and hashlib alone.

Prints [{"name": …, "sums": {key: hash}, "model": hash, "sources": [path…]}].
"""

import json
import pathlib
import sys

import safetensors.torch
import torch

import sums

out = pathlib.Path(sys.argv[1])

DTYPES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL", torch.complex64: "C64", torch.float8_e4m3fn: "F8_E4M3", torch.int16: "I16", torch.uint32: "U32",
}


def bits(t):
    return t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def everything():
    tensors = {
        "model.embed.weight": torch.randn(1000, 300), "model.0.weight": torch.randn(7, 5).bfloat16(), "model.0.bias": torch.randn(5).half(),
        "model.scalar": torch.tensor(3.5, dtype=torch.float64), "model.empty": torch.zeros(0, 4), "counts": torch.arange(9),
        "model.t": torch.arange(24, dtype=torch.int16).reshape(4, 6).t(), "mask": torch.tensor([True, False, True]),
        "z": torch.randn(6, dtype=torch.complex64), "small": torch.randn(10).to(torch.float8_e4m3fn), "u": torch.tensor([1, 2**32 - 1]).to(torch.uint32),
        "b": torch.tensor([-1, 5], dtype=torch.int8), "every.other": torch.arange(20, dtype=torch.uint8)[::2],
        "line\nfeed": torch.ones(1), "back\\slash \u00e9": torch.ones(2), "escape\x1b[2J\u009b": torch.ones(3),
    }
    tensors["lm_head.weight"] = tensors["model.embed.weight"]
    plain = {key: t.clone().contiguous() for key, t in tensors.items()}
    torch.save(tensors, out / "model.bin")
    torch.save(tensors, out / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": dict(reversed(tensors.items())), "optimizer": {"state": torch.ones(7)}}, out / "training.ckpt")
    safetensors.torch.save_file(plain, out / "model.safetensors")
    shards = out / "shards"
    shards.mkdir()
    keys = list(plain)
    places = {}
    for number in range(3):
        name = f"model-{number + 1:05}-of-00003.safetensors"
        safetensors.torch.save_file({key: plain[key] for key in keys[number::3]}, shards / name, metadata={"format": "pt"})
        places |= dict.fromkeys(keys[number::3], name)
    (shards / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    directory = out / "directory"
    directory.mkdir()
    torch.save(tensors, directory / "pytorch_model.bin")
    (directory / "config.json").write_text("{}")
    return sums.case("everything", {key: sums.tensor_sum(DTYPES[t.dtype], t.shape, bits(t)) for key, t in tensors.items()},
                     [out / name for name in ("model.bin", "legacy.pt", "training.ckpt", "model.safetensors", "shards", "directory")])


torch.manual_seed(3)
json.dump([everything()], sys.stdout)
