"""Compares mounts with what h5py read. stdin: the list of write_keras.py with "mount"; stdout: {name: [what differs]}."""

import json
import os
import sys

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "C64": "<c8"}


def view(path):
    """The tensors of a safetensors file, read by the format's description: bfloat16 stays uint16."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    assert header.pop("__metadata__")["format"] == "tf"
    return {key: np.frombuffer(data[slice(*e["data_offsets"])], DTYPES[e["dtype"]]).reshape(e["shape"]) for key, e in header.items()}


def little(array):
    return array.astype(array.dtype.newbyteorder("<"))


def verify(case):
    expected = {k.replace("|", "/"): v for k, v in np.load(case["expected"]).items()}
    with open(f"{case['mount']}/meta/index.json") as file:
        index = json.load(file)
    entries = {e["key"]: e for e in index["tensors"]}
    more = entries.keys() - expected.keys() - {"soft", "a/link"}  # links: visititems gives an object once
    if expected.keys() - entries.keys() or more:
        yield f"tensors: {sorted(expected.keys() - entries.keys())} are missing, {sorted(more)} are too many"
    got = {}
    for name in os.listdir(case["mount"]):
        if name.endswith(".safetensors"):
            got.update(view(f"{case['mount']}/{name}"))
    root = case["root"] and case["root"] + "/"
    for key, want in expected.items():
        if key not in entries:
            continue
        want, name = little(want), entries[key]["name"]
        with open(f"{case['mount']}/raw/{name}.bin", "rb") as file:
            if file.read() != want.tobytes():
                yield f"raw: {key!r} has other bytes"
        array = np.load(f"{case['mount']}/tensors/{name}.npy", mmap_mode="r" if want.size else None)
        if array.tobytes() != want.tobytes() or array.shape != want.shape:
            yield f"npy: {key!r} is {array.dtype} {array.shape}, want {want.dtype} {want.shape}"
        shown = key.startswith(root) and want.dtype != np.complex128 and not (not root and key.startswith("optimizer/vars/"))
        view_key = key.removeprefix(root)
        if shown != (view_key in got):
            yield f"view: {key!r} is {'missing' if shown else 'there'}"
        elif shown and (got[view_key].tobytes() != want.tobytes() or got[view_key].shape != want.shape):
            yield f"view: {key!r} differs"
    omitted = {e["key"] for e in index["omitted"]}
    if not set(case.get("omitted", [])) <= omitted:
        yield f"omitted are {sorted(omitted)}"
    if "omitted" in case and os.stat(f"{case['mount']}/raw/a%2Fb.bin").st_ino != os.stat(f"{case['mount']}/raw/a%2Flink.bin").st_ino:
        yield "hard links are two inodes"
    for name in case.get("passed", []):
        if not json.load(open(f"{case['mount']}/{name}")):
            yield f"{name} is empty"
    if root and json.load(open(f"{case['mount']}/meta/objects.json"))["model_config"]["class_name"] not in ("Functional", "Model", "Sequential"):
        yield "objects.json has no model_config"
    if "predict" in case:
        yield from predict(case, got)


def predict(case, got):
    """A model whose weights are set from the view answers as the source did."""
    import tf_keras
    with open(case["model"]) as file:
        model = tf_keras.models.model_from_json(file.read())
    with open(f"{case['mount']}/meta/index.json") as file:
        keys = [e["view_key"] for e in json.load(file)["tensors"]]
    # The order of the file is the order of the layers, in which weights are set.
    model.set_weights([got[k] for k in keys])
    data = np.load(case["predict"])
    if not np.array_equal(model.predict(data["inputs"], verbose=0), data["outputs"]):
        yield "the rebuilt model gives other predictions"


problems = {}
for case in json.load(sys.stdin):
    try:
        problems[case["name"]] = list(verify(case))
    except Exception as error:
        problems[case["name"]] = [f"{type(error).__name__}: {error}"]
json.dump(problems, sys.stdout)
