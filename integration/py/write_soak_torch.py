"""Writes sources for the soak with torch, and beside them what each file of a mount holds, as torch and numpy write it.

usage: write_soak_torch.py DIRECTORY; stdout: [{"name", "source", "files": {name in the mount: path}, "tensors": {view: {key: path}}}]
"""

import io
import json
import pathlib
import sys
import zipfile

import numpy
import safetensors.torch
import torch

out = pathlib.Path(sys.argv[1])
cases = []


def raw(tensor):
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def expect(case, name, content):
    path = out / f"{case['name']}.{len(case['files']) + sum(map(len, case['tensors'].values()))}"
    path.write_bytes(content)
    return str(path)


def case(name, source, shards, verbatim=()):
    """shards: {view: state dict}; verbatim: files that a mount shows as they are."""
    found = {"name": name, "source": str(source), "files": {}, "tensors": {}}
    cases.append(found)
    for view, state in shards.items():
        for key, tensor in state.items():
            found["files"][f"raw/{key}.bin"] = expect(found, key, raw(tensor))
            if tensor.dtype != torch.bfloat16:
                npy = io.BytesIO()
                numpy.save(npy, tensor.detach().resolve_conj().resolve_neg().contiguous().numpy())
                found["files"][f"tensors/{key}.npy"] = expect(found, key, npy.getvalue())
        if view not in verbatim:
            found["tensors"][view] = {key: found["files"][f"raw/{key}.bin"] for key in state}
    for file in verbatim:
        found["files"][file] = str(out / name / file if source.is_dir() else source)


def main():
    torch.manual_seed(11)
    base = torch.randn(1024, 768)
    waves = torch.randn(300, 500, dtype=torch.complex64)
    state = {
        "plain": torch.randn(1500, 1024), "transposed": base.t(), "step": base[::3, 1::2], "expanded": base[:1].expand(900, 768),
        "conj": waves.conj(), "imag": torch.randn(200, 300, dtype=torch.complex64).conj().imag, "bf16": torch.randn(2000, 800).bfloat16(), "bf16_t": torch.randn(700, 900).bfloat16().t(),
        "bytes": torch.randint(0, 256, (3_000_001,), dtype=torch.uint8), "one": torch.tensor(3.5), "ints": torch.randint(0, 2**60, (100_003,)),
    }
    torch.save(state, out / "strided.pt")
    case("strided", out / "strided.pt", {"model.safetensors": state})

    small = {f"layer.{i}.weight": torch.randint(0, 50, (256, 300 + i)) for i in range(12)}
    torch.save(small, out / "small.pt")
    with zipfile.ZipFile(out / "small.pt") as old, zipfile.ZipFile(out / "deflated.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info), zipfile.ZIP_DEFLATED)
    case("deflated", out / "deflated.pt", {"model.safetensors": small})

    flat = {"a": torch.randn(2000, 1000), "b": torch.randn(999, 777).half(), "c": torch.randn(512, 512).bfloat16()}
    safetensors.torch.save_file(flat, out / "flat.safetensors", metadata={"format": "pt"})
    case("flat", out / "flat.safetensors", {"model.safetensors": flat}, ["model.safetensors"])

    directory = out / "sharded"
    directory.mkdir()
    shards, weight_map = {}, {}
    for number in range(1, 4):
        part = {f"block.{number}.{i}.weight": torch.randn(600, 500 + i) for i in range(5)}
        torch.save(part, directory / f"pytorch_model-{number:05}-of-00003.bin")
        weight_map.update(dict.fromkeys(part, f"pytorch_model-{number:05}-of-00003.bin"))
        shards[f"model-{number:05}-of-00003.safetensors"] = part
    (directory / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    (directory / "config.json").write_text(json.dumps({"model_type": "bert", "pad": "x" * 20_000}))
    case("sharded", directory, shards, ["config.json"])
    json.dump(cases, sys.stdout)


main()
