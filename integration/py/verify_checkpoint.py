"""Compares mounts with what torch loads from their sources.

stdin: [{"name", "source", "root", "mount", "layout"?}]; stdout: {name: [what differs]}.
"""

import hashlib
import json
import os
import re
import urllib.parse

import numpy
import safetensors
import safetensors.torch
import torch

import bits
import cases


def flatten(value, path=()):
    """Every tensor in a loaded file by its path, list positions as numbers."""
    if isinstance(value, torch.Tensor):
        yield ".".join(path) if path else "tensor", value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from flatten(item, (*path, str(position)))


def verify(case):
    verbatim = case["source"].endswith(".safetensors")
    if verbatim:
        loaded = safetensors.torch.load_file(case["source"])
    else:
        loaded = torch.load(case["source"], weights_only=False)
    tensors = dict(flatten(loaded))
    root = case["root"] and case["root"] + "."
    in_view = {view_key(key.removeprefix(root)): tensor for key, tensor in tensors.items()
               if key.startswith(root) and tensor.dtype in bits.SAFETENSORS}
    yield from verify_view(f"{case['mount']}/model.safetensors", in_view)
    if verbatim:
        with open(case["source"], "rb") as source, open(f"{case['mount']}/model.safetensors", "rb") as view:
            if source.read() != view.read():
                yield "view: is not the source byte for byte"
    else:
        yield from verify_header(f"{case['mount']}/model.safetensors")
    yield from verify_files(case["mount"], tensors)
    yield from verify_tied(case["mount"], tensors)


def view_key(key):
    """The key in the view, which differs where a safetensors header cannot hold it: not UTF-8, or a taken name."""
    if key == "__metadata__":
        return "%5F_metadata__"
    if re.search(r"[\ud800-\udfff]", key):
        return "".join(c if c.isprintable() else "".join(f"%{b:02X}" for b in c.encode("utf-8", "surrogatepass"))
                       for c in key)
    return key


def verify_view(path, tensors):
    loaded = safetensors.torch.load_file(path)
    if loaded.keys() != tensors.keys():
        yield f"view: keys {sorted(loaded.keys() ^ tensors.keys())} are on one side only"
    for key in loaded.keys() & tensors.keys():
        got, want = loaded[key], tensors[key]
        if (got.dtype, got.shape) != (want.dtype, want.shape):
            yield f"view: {key!r} is {got.dtype} {list(got.shape)}, want {want.dtype} {list(want.shape)}"
        elif bits.tensor_bytes(got) != bits.tensor_bytes(want):
            yield f"view: {key!r} has other bytes"
    with safetensors.safe_open(path, "pt") as view:
        if set(view.keys()) != tensors.keys():
            yield "view: safe_open lists other keys"


def verify_header(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    if (8 + length) % 4096:
        yield f"view: data begins at {8 + length}, not on a page"
    if header.get("__metadata__", {}).get("format") != "pt":
        yield f"view: __metadata__ is {header.get('__metadata__')}"


def verify_files(mount, tensors):
    index = names(mount)
    if index.keys() != tensors.keys():
        yield f"index.json: keys {sorted(index.keys() ^ tensors.keys())} are on one side only"
    for directory, suffix, expected in (
            ("tensors", ".npy", index), ("raw", ".bin", index),
            ("f32", ".npy", [key for key in index if key in tensors and tensors[key].dtype in bits.NAMELESS])):
        wanted = {index[key] + suffix for key in expected}
        listed = set(os.listdir(f"{mount}/{directory}")) if os.path.isdir(f"{mount}/{directory}") else set()
        if wanted != listed:
            yield f"{directory}/: {sorted(wanted ^ listed)} are on one side only"
    for key in index.keys() & tensors.keys():
        yield from verify_name(key, index[key])
        yield from verify_tensor(mount, key, index[key], tensors[key])


def names(mount):
    """The file name of every key, from meta/index.json."""
    with open(f"{mount}/meta/index.json") as file:
        entries = json.load(file)["tensors"]
    return {bytes.fromhex(e["key_hex"]).decode("utf-8", "surrogatepass") if "key_hex" in e else e["key"]: e["name"]
            for e in entries}


def verify_name(key, name):
    """A name is the key, percent-coded where it must be; a long one is cut and ends in a hash."""
    raw = key.encode("utf-8", "surrogatepass")
    cut, mark, digest = name.rpartition("%~")
    if len(name.encode()) > 200 or re.search(r"[\x00-\x1f\x7f-\x9f/]", name) or name in ("", ".", ".."):
        yield f"name: {key!r} is {name!r}"
    elif mark:
        if digest != hashlib.sha256(raw).hexdigest()[:16] or not raw.startswith(urllib.parse.unquote_to_bytes(cut)):
            yield f"name: {key!r} is cut to {name!r}"
    elif name != "%" and urllib.parse.unquote_to_bytes(name) != raw or name == "%" and key:
        yield f"name: {key!r} is {name!r}"
    if re.fullmatch(r"[\w.: @+-]{1,60}", key) and key not in (".", "..") and name != key:
        yield f"name: {key!r} needs no coding, but is {name!r}"


def verify_tensor(mount, key, name, tensor):
    want = bits.tensor_bytes(tensor)
    with open(f"{mount}/raw/{name}.bin", "rb") as file:
        if hashlib.file_digest(file, "sha256").digest() != hashlib.sha256(want).digest():
            yield f"raw: {key!r} has other bytes"
    path = f"{mount}/tensors/{name}.npy"
    array = numpy.load(path, mmap_mode="r")
    if array.tobytes() != want:
        yield f"npy: {key!r} has other bytes"
    if not array.flags.c_contiguous:
        yield f"npy: {key!r} is not in C order"
    if tensor.dtype not in bits.NAMELESS:
        like = tensor.detach().resolve_conj().resolve_neg().numpy()
        if (array.dtype, array.shape) != (like.dtype, like.shape):
            yield f"npy: {key!r} is {array.dtype} {array.shape}, want {like.dtype} {like.shape}"
        return
    if array.dtype.kind != "V" or array.shape != tuple(tensor.shape):
        yield f"npy: {key!r} is {array.dtype} {array.shape}, want void {tuple(tensor.shape)}"
    got, want = numpy.load(f"{mount}/f32/{name}.npy", mmap_mode="r"), bits.float32(tensor)
    if got.dtype != numpy.float32 or got.shape != want.shape:
        yield f"f32: {key!r} is {got.dtype} {got.shape}, want {want.shape}"
    elif tensor.dtype == torch.bfloat16 and got.tobytes() != want.tobytes():
        yield f"f32: {key!r} has other bits"
    elif not numpy.array_equal(numpy.signbit(got) & (got == got), numpy.signbit(want) & (want == want)) \
            or not numpy.array_equal(got, want, equal_nan=True):
        yield f"f32: {key!r} has other values"


def verify_tied(mount, tensors):
    """tree/ holds the inodes of tensors/, and tied tensors are one inode."""
    flat = {key: os.stat(f"{mount}/tensors/{name}.npy") for key, name in names(mount).items()}
    leaves = [os.stat(os.path.join(top, name)) for top, _, names in os.walk(f"{mount}/tree") for name in names]
    if sorted(s.st_ino for s in leaves) != sorted(s.st_ino for s in flat.values()):
        yield "tree/: other inodes than tensors/"
    storages = {}
    for key, tensor in tensors.items():
        if tensor.numel():
            where = tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.dtype
            where += tensor.shape, tensor.stride(), tensor.is_conj(), tensor.is_neg()
            storages.setdefault(where, []).append(key)
    for keys in storages.values():
        stats = [flat[key] for key in keys if key in flat]
        if len({s.st_ino for s in stats}) != 1:
            yield f"tied: {keys} have inodes {[s.st_ino for s in stats]}"
        if len(keys) > 1 and min(s.st_nlink for s in stats) < len(keys):
            yield f"tied: {keys} have link counts {[s.st_nlink for s in stats]}"
    if len({s.st_ino for s in flat.values()}) != len(storages) + sum(not t.numel() for t in tensors.values()):
        yield "tied: tensors that are not tied share an inode"


cases.check(verify)
