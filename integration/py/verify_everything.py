"""Compares mounts with what write_everything.py expects of them.

stdin: its list, each with "mount"; stdout: {name: [what differs]}.
"""

import json

import numpy
import safetensors.torch
import torch

import bits
import cases


def verify(case):
    expected = torch.load(case["expected"])
    view = safetensors.torch.load_file(f"{case['mount']}/model.safetensors")
    missing, more = expected.keys() - view.keys(), view.keys() - expected.keys()
    if missing or more and not case.get("subset"):
        yield f"view: {sorted(missing)} are missing, {sorted(more)} are too many"
    with open(f"{case['mount']}/meta/index.json") as file:
        index = json.load(file)
    names = {entry["view_key"]: entry for entry in index["tensors"] if entry["view_key"] is not None}
    for key in expected.keys() & view.keys():
        got, want = view[key], expected[key]
        if (got.dtype, got.shape) != (want.dtype, want.shape):
            yield f"view: {key!r} is {got.dtype} {list(got.shape)}, want {want.dtype} {list(want.shape)}"
        elif bits.tensor_bytes(got) != bits.tensor_bytes(want):
            yield f"view: {key!r} has other bytes"
        name = names[key]["name"]
        with open(f"{case['mount']}/raw/{name}.bin", "rb") as file:
            if file.read() != bits.tensor_bytes(want):
                yield f"raw: {key!r} has other bytes"
        if numpy.load(f"{case['mount']}/tensors/{name}.npy").tobytes() != bits.tensor_bytes(want):
            yield f"npy: {key!r} has other bytes"
    order = [entry["view_key"] for entry in index["tensors"] if entry["view_key"] is not None]
    if "order" in case and order != case["order"]:
        at = next((i for i, pair in enumerate(zip(order, case["order"])) if pair[0] != pair[1]), min(len(order), len(case["order"])))
        yield f"meta/: the order of keys differs at {at}: {order[at:at + 4]}, want {case['order'][at:at + 4]}"
    hidden = {entry["key"] for entry in index["tensors"] if "not_in_view" in entry}
    if "hidden" in case and hidden != set(case["hidden"]):
        yield f"meta/: hidden are {sorted(hidden)}, want {case['hidden']}"
    omitted = {entry["key"] for entry in index["omitted"]}
    if not set(case.get("omitted", [])) <= omitted:
        yield f"meta/: omitted are {sorted(omitted)}, want {case['omitted']}"
    if "objects" in case:
        with open(f"{case['mount']}/meta/objects.json") as file:
            objects = json.load(file)
        for key, want in case["objects"].items():
            if objects.get(key, "missing") != want:
                yield f"objects.json: {key!r} is {objects.get(key, 'missing')}, want {want}"


cases.check(verify)
