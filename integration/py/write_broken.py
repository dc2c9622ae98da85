"""Writes damaged weight files and directories, and a list of them to stdout.

[{"name", "source", "says": words that the error must have}]
"""

import json
import os
import pathlib
import struct
import sys
import tarfile
import zipfile

import numpy
import torch
from torch.package import PackageExporter

out = pathlib.Path(sys.argv[1])
cases = []


def case(name, *says):
    cases.append({"name": name, "source": str(out / name), "says": says})
    return out / name


class Lie:
    """A tensor that claims what its storage does not hold."""

    def __init__(self, offset, shape, stride):
        self.arguments = torch.arange(10.0).storage(), offset, shape, stride, False, {}

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


LIES = {
    "offset-past-end": (10, (1,), (1,)), "shape-past-end": (0, (11,), (1,)), "stride-past-end": (0, (4, 4), (3, 1)),
    "negative-offset": (-1, (1,), (1,)), "negative-shape": (0, (-1,), (1,)), "negative-stride": (9, (3,), (-1,)),
    "huge-shape": (0, (2**62, 4), (0, 0)), "overflowing-shape": (0, (2**63 - 1, 2**63 - 1), (1, 1)),
    "overflowing-stride": (0, (3,), (2**62,)), "shape-stride-differ": (0, (2, 2), (1,)), "huge-offset": (2**63 - 1, (1,), (1,)),
}


def rewrite(name, change, *says):
    """A copy of a good checkpoint in which change(record, bytes) is every record, or None."""
    with zipfile.ZipFile(out / "good.pt") as old, zipfile.ZipFile(case(name, *says), "w") as new:
        for info in old.infolist():
            data = change(info.filename.split("/", 1)[1], old.read(info))
            if data is not None:
                new.writestr(info.filename, data)


def safetensors(name, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = case(name)
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def directory(name, index, *says, **files):
    path = case(name, *says)
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "pytorch_model.bin.index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    for file in files.values():
        torch.save({"w": torch.ones(2)}, path / file)
    return path


def main():
    torch.save({"w": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3)}, out / "good.pt")
    for name, lie in LIES.items():
        torch.save({"good": torch.ones(2), "bad": Lie(*lie)}, case(f"{name}.pt"))
    rewrite("no-pickle.pt", lambda record, data: None if record == "data.pkl" else data, "data.pkl")
    rewrite("missing-record.pt", lambda record, data: None if record == "data/0" else data, "data/0")
    rewrite("short-record.pt", lambda record, data: data[:-4] if record == "data/0" else data, "data/0")
    rewrite("empty-pickle.pt", lambda record, data: b"" if record == "data.pkl" else data)
    rewrite("cut-pickle.pt", lambda record, data: data[: len(data) // 2] if record == "data.pkl" else data)
    rewrite("not-a-pickle.pt", lambda record, data: b"\xff" * 99 if record == "data.pkl" else data)
    frame = b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"."
    rewrite("frame-bomb.pt", lambda record, data: frame if record == "data.pkl" else data)
    long = b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"."
    rewrite("long-bytes.pt", lambda record, data: long if record == "data.pkl" else data)
    deep = b"\x80\x02" + b"]" * 3_000_000 + b"a" * 2_999_999 + b"."
    rewrite("deep.pt", lambda record, data: deep if record == "data.pkl" else data)
    with zipfile.ZipFile(case("no-records.pt"), "w") as empty:
        empty.writestr("x/readme", "nothing")
    with zipfile.ZipFile(case("bzip2.pt"), "w", zipfile.ZIP_BZIP2) as new, zipfile.ZipFile(out / "good.pt") as old:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))

    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    safetensors("header-too-long.safetensors", {"a": entry}, bytes(8), length=10_000)
    safetensors("header-huge.safetensors", {"a": entry}, bytes(8), length=2**63)
    safetensors("hole.safetensors", {"a": entry, "b": {**entry, "data_offsets": [12, 20]}}, bytes(20))
    safetensors("overlap.safetensors", {"a": entry, "b": {**entry, "data_offsets": [4, 12]}}, bytes(12))
    safetensors("longer.safetensors", {"a": entry}, bytes(9))
    safetensors("shorter.safetensors", {"a": entry}, bytes(7))
    safetensors("shape.safetensors", {"a": {**entry, "shape": [3]}}, bytes(8))
    safetensors("dtype.safetensors", {"a": {**entry, "dtype": "F33"}}, bytes(8))
    safetensors("overflow.safetensors", {"a": {**entry, "shape": [2**32, 2**32, 4]}}, bytes(8))
    safetensors("negative.safetensors", {"a": {**entry, "shape": [-2]}}, bytes(8))
    twice = json.dumps(entry).encode()
    safetensors("duplicate.safetensors", b'{"a":' + twice + b',"a":' + twice + b"}", bytes(8))
    safetensors("not-json.safetensors", b'{"a":', bytes(8))

    index = {"metadata": {}, "weight_map": {"w": "good.bin"}}
    (out / "outside.bin").write_bytes((out / "good.pt").read_bytes())
    directory("index-parent", {**index, "weight_map": {"w": "../outside.bin"}})
    directory("index-absolute", {**index, "weight_map": {"w": str(out / "outside.bin")}})
    directory("index-missing", {**index, "weight_map": {"w": "absent.bin"}}, "absent.bin")
    directory("index-not-json", "{", "pytorch_model.bin.index.json")
    directory("index-number", {"weight_map": {"w": 3}})
    directory("index-list", [1, 2])
    directory("index-nul", {"weight_map": {"w": "a\0b"}})
    link = directory("index-link", index)
    (link / "good.bin").symlink_to(out / "outside.bin")

    link = directory("index-is-link", index, "leaves the directory", good="good.bin")
    (link / "pytorch_model.bin.index.json").rename(out / "outside.json")
    (link / "pytorch_model.bin.index.json").symlink_to(out / "outside.json")
    fifo = directory("index-is-fifo", index, "a pipe can be read only once", good="good.bin")
    (fifo / "pytorch_model.bin.index.json").unlink()
    os.mkfifo(fifo / "pytorch_model.bin.index.json")
    directory("index-two-places", '{"weight_map": {"w": "a.bin", "w": "b.bin"}}', "a.bin", "b.bin", a="a.bin", b="b.bin")
    directory("index-copies", {"weight_map": {}}, "no shards")
    copies = directory("copies", {"weight_map": {"a": "a.bin", "b": "b.bin"}}, '"both"', "a.bin", "b.bin")
    torch.save({"a": torch.ones(1), "both": torch.ones(1)}, copies / "a.bin")
    torch.save({"b": torch.ones(1), "both": torch.zeros(1)}, copies / "b.bin")
    directory("index-directory", {"weight_map": {"w": "d"}}, "not a regular file").joinpath("d").mkdir()
    case("only.index.json", "good.bin, which is missing").write_text(json.dumps(index))

    def weights(name, *says, **files):
        (path := case(name, *says)).mkdir()
        for file, content in files.items():
            (path / file.replace("_", ".")).write_bytes(content)

    good = (out / "good.pt").read_bytes()
    weights("other-name", "lora.pt", "begins with", lora_pt=b"\x01\x02\x03", README_md=b"#")
    weights("other-names", "mount one of its weight files by itself: a.pth, b.ckpt", a_pth=good, b_ckpt=good)
    weights("pointer", "model.safetensors", "git-lfs pointer", model_safetensors=b"version https://git-lfs.github.com/spec/v1\n")

    case("lfs.bin", "git-lfs pointer").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 438064459\n")
    unknown = "not a weight file that wfs knows"
    case("model.gguf", "its header claims 9 tensors in 64 bytes").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 9, 0) + bytes(64))
    good_path = out / "good.pt"
    with tarfile.open(case("speech.nemo", unknown, "model_weights.ckpt in it: unpack it first"), "w") as archive:
        archive.add(good_path, "./model_weights.ckpt")
    with zipfile.ZipFile(case("agent.zip", unknown, "policy.pth in it: unpack it first"), "w") as archive:
        archive.write(good_path, "policy.pth")
    case("arrays.npz", "zip end record is missing").write_bytes(b"PK\3\4" + bytes(22) + b"\5\0\0\0w.npy" + bytes(300))
    with PackageExporter(str(case("package.pt", unknown, "it is a package of torch.package"))) as exporter:
        exporter.extern("torch.**")
        exporter.save_pickle("model", "model.pkl", torch.nn.Linear(2, 3))
    header = b'{"__metadata__":{"step":3},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    case("metadata-number.safetensors", 'the value of "step" in its __metadata__ is a number').write_bytes(
        struct.pack("<Q", len(header)) + header + bytes(4))
    case("image.png", unknown).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    case("notes.txt", unknown).write_text("Hello.\n" * 50)
    case("empty.pt").write_bytes(b"")
    case("one-byte.pt").write_bytes(b"P")
    case("random.pt", unknown).write_bytes(bytes((i * 167 + 13) % 256 for i in range(5000)))
    case("config-only").mkdir()
    (out / "config-only" / "config.json").write_text("{}")
    case("empty-directory").mkdir()
    case("absent.pt", "no such file")
    json.dump(cases, sys.stdout)


main()
