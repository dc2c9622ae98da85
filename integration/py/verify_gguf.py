"""Compares mounts and copies of GGUF files with what gguf reads. stdin: [{"name", "source", "mount", "copy"}]; stdout: {name: [what differs]}."""

import json
import pathlib
import sys

import gguf
import numpy
import torch
from safetensors.torch import load_file

KIND = gguf.GGMLQuantizationType
NATIVE = (KIND.F32, KIND.F16, KIND.F64, KIND.I8, KIND.I16, KIND.I32, KIND.I64)


def sources(path):
    """The files of a model that are opened by the path."""
    path = pathlib.Path(path)
    if path.is_dir():
        return [p for p in sorted(path.glob("*.gguf")) if not p.name.startswith("mmproj")]
    if "-of-" in path.name:
        return sorted(path.parent.glob("*.gguf"))
    return [path]


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def verify(case):
    mount = pathlib.Path(case["mount"])
    readers = [gguf.GGUFReader(path) for path in sources(case["source"])]
    tensors = {t.name: t for reader in readers for t in reader.tensors}
    listed = {name[:-4] for name in (p.name for p in (mount / "tensors").iterdir())}
    if listed != set(tensors):
        yield f"tensors {sorted(set(tensors) ^ listed)} are too many, or missing"
    views = [load_file(path) for path in mount.glob("*.safetensors")]
    copy = load_file(case["copy"])
    shown = {key: t for view in views for key, t in view.items()}
    if shown.keys() != copy.keys() or sum(map(len, views)) != len(shown):
        yield "the copy has other tensors than the view"
    for name, t in tensors.items():
        data = t.data.astype(t.data.dtype.newbyteorder("<"))
        array = numpy.load(mount / "tensors" / f"{name}.npy")
        if t.tensor_type == KIND.BF16:
            array = array.view(numpy.uint8).reshape(data.shape)
        if not same(array, data):
            yield f"{name}: {array.dtype} {array.shape} is not {data.dtype} {data.shape}, or has other bytes"
        if (mount / "raw" / f"{name}.bin").read_bytes() != data.tobytes():
            yield f"{name}: raw bytes differ"
        wide = mount / "f32" / f"{name}.npy"
        if wide.exists() != (t.tensor_type not in NATIVE):
            yield f"{name}: f32/ {wide.exists()}"
        elif wide.exists():
            with numpy.errstate(all="ignore"):
                want = gguf.dequantize(t.data, t.tensor_type)
            got = numpy.load(wide, mmap_mode="r")
            nan = numpy.isnan(want)
            if got.shape != want.shape or (numpy.isnan(got) != nan).any() or (got.view("u4") != want.view("u4"))[~nan].any():
                yield f"{name}: float32 differ"
        if (name in shown) != (t.tensor_type in (*NATIVE, KIND.BF16)):
            yield f"{name}: in the view {name in shown}"
        elif name in shown:
            for tensor in (shown[name], copy[name]):
                if tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() != data.tobytes():
                    yield f"{name}: other bytes in the view"
                if list(tensor.shape) != [int(n) for n in reversed(t.shape)]:
                    yield f"{name}: {tensor.shape} in the view"
    objects = mount / "meta" / "objects.json"
    objects = json.loads(objects.read_text())
    for key, field in readers[0].fields.items():
        if key.startswith("GGUF."):
            continue
        value, want = objects.get(key), field.contents()
        if isinstance(want, list):
            want = {"type": value["type"], "count": len(want), "head": want[:8]}
        if value != want:
            yield f"{key}: {value} is not {want}"
    template = mount / "chat_template.jinja"
    if template.exists() != ("tokenizer.chat_template" in objects) or template.exists() and template.read_text() != "{{ messages }}":
        yield "chat_template.jinja"


json.dump({case["name"]: list(verify(case)) for case in json.load(sys.stdin)}, sys.stdout)
