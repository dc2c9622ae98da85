"""Compares mounts with what h5py and Keras read of their sources.

stdin: the list of write_field_hdf5.py with "mount"; stdout: {name: [what differs]}.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import numpy as np


def names(group, path, above):
    """Every name of a dataset; what leads back to a group that it is in ends there."""
    for name in group:
        obj = group[name]
        if isinstance(obj, h5py.Dataset):
            yield path + name, obj
        elif isinstance(obj, h5py.Group):
            identity = h5py.h5o.get_info(obj.id).addr
            if identity not in above:
                yield from names(obj, path + name + "/", above | {identity})


def verify(case):
    mount = case["mount"]
    with open(f"{mount}/meta/index.json") as file:
        index = json.load(file)
    listed = {e["key"]: e for e in index["tensors"]}
    entries = {key: e["name"] for key, e in listed.items()}
    reasons = {e["key"]: e["reason"] for e in index["omitted"]}
    if case.get("refused"):
        try:
            h5py.File(case["source"])
            yield "h5py opens it"
        except OSError:
            pass
        wanted = {key: np.array(values, "<f8") for key, values in case["values"].items()}
    elif "load" in case:
        if "layers" in case:
            got = [[key, e.get("layer")] for key, e in listed.items() if key in dict(case["layers"])]
            if got != case["layers"]:
                yield f"index.json has the layers {got}, want {case['layers']}"
        yield from loads(case)
        return
    else:
        wanted = {}
        with h5py.File(case["source"]) as f:
            for key, dataset in names(f, "", {h5py.h5o.get_info(f["/"].id).addr}):
                try:
                    wanted[key] = dataset[()]
                except OSError:
                    wanted[key] = None
    for key, want in wanted.items():
        if key not in entries:
            if "omitted" not in case or case["omitted"] not in reasons.get(key, ""):
                yield f"{key!r} is missing, because {reasons.get(key)!r}"
            continue
        if want is None:
            continue
        want = np.asarray(want)
        got = np.load(f"{mount}/tensors/{entries[key]}.npy")
        want = want.astype(want.dtype.newbyteorder("<"))
        if got.dtype != want.dtype or got.shape != want.shape or got.tobytes() != want.tobytes():
            yield f"{key!r} is {got.dtype} {got.shape}, want {want.dtype} {want.shape}, or has other values"
    if entries.keys() - wanted.keys():
        yield f"{sorted(entries.keys() - wanted.keys())[:5]} are too many"
    for key in case.get("bytes", []):  # the view has no void
        entry, want = listed[key], np.asarray(wanted[key])
        if (entry["dtype"], entry["shape"], entry["void"]) != ("U8", [*want.shape, want.dtype.itemsize], want.dtype.itemsize):
            yield f"index.json has {entry} for {key!r}"
    if "view" in case:
        with open(f"{mount}/model.safetensors", "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        if len(header) - ("__metadata__" in header) != case["view"]:
            yield f"the view has {sorted(header)}, want {case['view']}"


def loads(case):
    import keras

    source, mounted = (keras.saving.load_model(path) for path in (case["source"], case["mount"]))
    if not all(np.array_equal(a, b) for a, b in zip(source.get_weights(), mounted.get_weights(), strict=True)):
        yield "Keras reads other weights"


json.dump({case["name"]: list(verify(case)) for case in json.load(sys.stdin)}, sys.stdout)
