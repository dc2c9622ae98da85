"""Writes HDF5 and Keras files that hold pickles, and configurations that run code, in every place that has texts or bytes.

usage: write_texts.py DIRECTORY; stdout: [{"name", "source", "verdicts"}]. Nothing here is loaded.
"""

import base64
import gzip
import io
import json
import os
import pathlib
import pickle
import sys
import tarfile
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras
import numpy as np

out = pathlib.Path(sys.argv[1])
cases = []


class Calls:
    def __reduce__(self):
        return os.getcwd, ()


old, new = pickle.dumps(Calls(), 0), pickle.dumps(Calls(), 4)
numbers = np.frombuffer(new, "u1")


def add(name, *verdicts):
    cases.append({"name": name, "source": str(out / name), "verdicts": verdicts})
    return out / name


def hdf5(name, fill, verdict, **how):
    with h5py.File(add(name + ".h5", verdict), "w", **how) as f:
        fill(f)


def attribute(value):
    def fill(f):
        f["x"] = np.ones(3)
        f["x"].attrs["value"] = value
    return fill


def sequence(dtype, *values):
    def fill(f):
        d = f.create_dataset("x", (len(values),), dtype=h5py.vlen_dtype(dtype))
        for i, value in enumerate(values):
            d[i] = value
    return fill


hdf5("numbers", lambda f: f.create_dataset("x", data=np.ones(3)), "nothing")
hdf5("words", attribute("(this is) a text of words."), "nothing")
hdf5("attribute-old", attribute(old), "dangerous")  # as PyTables and pandas keep objects
hdf5("attribute-fixed", attribute(np.bytes_(new)), "dangerous")
hdf5("attribute-void", attribute(np.void(new)), "dangerous")
hdf5("attribute-numbers", attribute(numbers), "dangerous")
hdf5("attribute-base64", attribute(base64.b64encode(new).decode()), "dangerous")
hdf5("attribute-list", attribute([b"a" * 9, old]), "dangerous")
hdf5("attribute-ordinary", attribute(pickle.dumps({"a": np.float64(1)}, 0)), "allowed")
hdf5("void", lambda f: f.create_dataset("x", data=np.void(new)), "dangerous")
hdf5("bytes", lambda f: f.create_dataset("x", data=numbers), "dangerous")
hdf5("bytes-chunked", lambda f: f.create_dataset("x", data=numbers, compression="gzip", chunks=(8,)), "dangerous")
hdf5("strings", lambda f: f.create_dataset("x", data=[b"a" * 9, old, b"b"]), "dangerous")
hdf5("strings-fixed", lambda f: f.create_dataset("x", data=np.array([b"x", new + b"more"])), "dangerous")
hdf5("sequence", sequence(np.uint8, np.frombuffer(b"abc", "u1"), numbers), "dangerous")
hdf5("sequence-floats", sequence(np.float32, np.ones(3, "f4")), "nothing")
hdf5("table", lambda f: f.create_dataset("x", data=np.array([(1, new)], [("i", "i4"), ("s", "S80")])), "dangerous")
hdf5("table-array", lambda f: f.create_dataset("x", data=np.array([(1, numbers)], [("i", "i4"), ("s", "u1", len(numbers))])), "dangerous")
hdf5("table-numbers", lambda f: f.create_dataset("x", data=np.array([(1, 2.0)], [("i", "i4"), ("s", "f8")])), "nothing")
hdf5("user-block", attribute(np.void(new)), "dangerous", userblock_size=1024)
whole = (out / "void.h5").read_bytes()
add("hdf5.gz", "dangerous").write_bytes(gzip.compress(whole))
add("hdf5.pkl", "dangerous").write_bytes(pickle.dumps({"file": whole}))
for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(add(f"hdf5-{method}.zip", "dangerous"), "w", method) as archive:
        archive.writestr("folder/model.weights.h5", whole)

runs = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1), keras.layers.Dense(2)])
plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="relu")])
plain.compile("adam", "mse")
for name, model, verdict in (("runs", runs, "dangerous"), ("plain", plain, "nothing")):
    model.save(add(name + ".keras", verdict))
    model.save(add(name + "-whole.h5", verdict))
    add(name + ".json", verdict).write_text(model.to_json())
    add(name + ".pkl", "dangerous" if model is runs else "unknown").write_bytes(pickle.dumps(model))  # holds a .keras
    zipfile.ZipFile(out / (name + ".keras")).extractall(out / name)
    add(name + "/config.json", verdict)
    with tarfile.open(add(name + ".tgz", verdict), "w:gz") as archive:
        archive.add(out / (name + ".keras"), "models/model.keras")


def rewritten(name, change):
    """The configuration in another form that Python's json reads."""
    with zipfile.ZipFile(out / "runs.keras") as old, zipfile.ZipFile(add(name, "dangerous"), "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            data = old.read(member)
            new.writestr(member, change(data) if member == "config.json" else data)


rewritten("utf-16.keras", lambda text: text.decode().encode("utf-16"))
rewritten("utf-32.keras", lambda text: text.decode().encode("utf-32-be"))
rewritten("escaped.keras", lambda text: text.replace(b'"class_name"', b'"class\\u005fname"'))
add("nan.json", "unknown").write_text('{"class_name": "Sequential", "config": {"x": NaN, "layers": [{"class_name": "Lambda"}]}}')
add("words.json", "nothing").write_text(json.dumps({"model": {"vocab": {"class_name": 1, "\u00e9": 2}}}))
json.dump(cases, sys.stdout)
