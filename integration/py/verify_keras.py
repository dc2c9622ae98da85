"""Compares mounts with what h5py read. stdin: the list of write_keras.py with "mount"; stdout: {name: [what differs]}."""

import functools
import importlib
import json
import os
import pickle
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras_models
import numpy as np

import cases

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


def state_of_training(key):
    parts = key.split("/")
    return parts[0] in ("optimizer", "metrics") and parts[-2:-1] == ["vars"]


def verify(case):
    mount = case["mount"]
    with open(case["expected"], "rb") as file:
        expected = pickle.load(file)
    with open(f"{mount}/meta/index.json") as file:
        index = json.load(file)
    entries = {e["key"]: e for e in index["tensors"]}
    values = expected["values"]
    more = entries.keys() - values.keys() - set(case.get("links", []))  # visititems gives an object once
    if values.keys() - entries.keys() or more:
        yield f"tensors: {sorted(values.keys() - entries.keys())} are missing, {sorted(more)} are too many"
    got = {}
    for name in os.listdir(mount):
        if name.endswith(".safetensors"):
            got.update(view(f"{mount}/{name}"))
    for key, want in values.items():
        if key in entries:
            yield from tensor(mount, key, entries[key]["name"], want)
            yield from in_view(case, key, want, got)
    order = [key for key in entries if key in set(expected["order"])]
    if order != list(dict.fromkeys(expected["order"])):
        yield "the tensors are not in the order of the layers"
    reasons = {e["key"]: e["reason"] for e in index["omitted"]}
    for key, reason in case.get("omitted", {}).items():
        if reason not in reasons.get(key, ""):
            yield f"{key} is left out because {reasons.get(key)!r}, want {reason!r}"
    if case.get("links"):
        if len({os.stat(f"{mount}/raw/{name}.bin").st_ino for name in ["a%2Fb", "a%2Flink", "soft"]}) != 1:
            yield "links to one dataset are several inodes"
    for name in case.get("passed", []):
        with open(f"{mount}/{name}") as file:
            if not json.load(file):
                yield f"{name} is empty"
    yield from objects(case, expected["attributes"])
    if "build" in case:
        yield from answers(case, entries, got)


def tensor(mount, key, name, want):
    """One dataset in raw/, tensors/ and tree/."""
    want = little(want)
    with open(f"{mount}/raw/{name}.bin", "rb") as file:
        if file.read() != want.tobytes():
            yield f"raw: {key!r} has other bytes"
    path = f"{mount}/tensors/{name}.npy"
    array = np.load(path, mmap_mode="r" if want.size else None)
    if array.tobytes() != want.tobytes() or array.shape != want.shape:
        yield f"npy: {key!r} is {array.dtype} {array.shape}, want {want.dtype} {want.shape}"
    if max(map(len, key.split("/"))) < 200 and not os.path.samefile(path, f"{mount}/tree/{key}.npy"):
        yield f"tree: {key!r} is another file"


def in_view(case, key, want, got):
    root = case["root"] + "/" if "root" in case else ""
    shown = key.startswith(root) and want.dtype != np.complex128 and (root or not state_of_training(key))
    key, want = key.removeprefix(root), little(want)
    if bool(shown) != (key in got):
        yield f"view: {key!r} is {'missing' if shown else 'there'}"
    elif shown and (got[key].tobytes() != want.tobytes() or got[key].shape != want.shape):
        yield f"view: {key!r} differs"


def objects(case, attributes):
    """meta/objects.json: every attribute, and the configurations decoded."""
    if not any((attributes or {}).values()):
        return
    with open(f"{case['mount']}/meta/objects.json") as file:
        shown = json.load(file)
    want = {"/" + path: values for path, values in attributes.items() if values}
    missing = {path for path, values in want.items() if shown["attributes"].get(path) != values}
    if missing or shown["attributes"].keys() - want.keys() - {"/" + link for link in case.get("links", [])}:
        yield f"objects.json: the attributes of {sorted(missing)[:5]} differ, or there are others"
    for name in "model_config", "training_config":
        if name in attributes[""] and shown[name] != json.loads(attributes[""][name]):
            yield f"objects.json: {name} differs"
    for name in "keras_version", "backend":
        if shown.get(name) != attributes[""].get(name):
            yield f"objects.json: {name} differs"


def answers(case, entries, got):
    """A model built anew answers as the source did, once its weights are set from the view."""
    keras = importlib.import_module({"2": "tf_keras", "3": "keras"}[case["version"]])
    if case["version"] == "3":
        keras.config.set_dtype_policy(case.get("policy", "float32"))
    model = getattr(keras_models, case["build"])(keras)
    ask = functools.partial(model, keras_models.inputs())
    before = np.asarray(ask(), "float32")
    if case["how"] == "order":
        # The order of the file is the order of the layers.
        weights = [got[e["view_key"]] for e in entries.values() if e["view_key"]]
        variables = model.weights if case["version"] == "2" else \
            [v for layer in model.layers for v in layer.trainable_weights + layer.non_trainable_weights]
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)
    else:
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/rebuilt.weights.h5"
            with h5py.File(path, "w") as f:
                for key, value in got.items():
                    if case.get("policy") == "bfloat16" and value.dtype == np.uint16:
                        f[key] = value.view("V2")
                        f[key].attrs["dtype"] = "bfloat16"
                    else:
                        f[key] = value
            model.load_weights(path)
    want = np.load(case["answers"])
    after = np.asarray(ask(), "float32")
    if not np.array_equal(after, want):
        yield f"the rebuilt model's answers differ by {np.abs(after - want).max()}"
    if np.array_equal(before, want):
        yield "the model answers so whatever its weights are"


cases.check(verify)
