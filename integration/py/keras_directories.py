"""Directories of Keras: unpacked .keras files, shards, a preset, and TensorFlow's shards as transformers wrote them.

keras_directories.py write DIR: stdout [{name, source, directory}], where source is mounted, a directory or its index file.
keras_directories.py verify: stdin the cases, each with "mount"; stdout {name: [what differs]}.
"""

import json
import os
import pathlib
import sys
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import h5py
import keras
import ml_dtypes
import numpy

import cases


def model(layers):
    return keras.Sequential([keras.Input((64,))] + [keras.layers.Dense(64) for _ in range(layers)])


def write(out):
    found = []

    def case(name, source=None):
        found.append({"name": name, "source": str(source or out / name), "directory": str(out / name)})

    model(2).save(out / "model.keras")
    for name in ("unpacked", "preset"):
        with zipfile.ZipFile(out / "model.keras") as archive:
            archive.extractall(out / name)
        case(name)
    (out / "preset" / "task.json").write_text((out / "preset" / "config.json").read_text())
    (out / "preset" / "task.weights.h5").write_bytes((out / "preset" / "model.weights.h5").read_bytes())
    (out / "preset" / "assets" / "tokenizer").mkdir(parents=True)
    (out / "preset" / "assets" / "tokenizer" / "vocabulary.txt").write_text("a")

    (out / "sharded").mkdir()
    model(3).save_weights(out / "sharded" / "model.weights.json", max_shard_size=0.00002)
    case("sharded")
    case("sharded", out / "sharded" / "model.weights.json")

    (out / "tensorflow").mkdir()
    weights = {}
    for shard in (1, 2):
        name = f"tf_model-0000{shard}-of-00002.h5"
        with h5py.File(out / "tensorflow" / name, "w") as file:
            for layer in range(2):
                key = f"bert/encoder/layer_._{shard}{layer}/kernel:0"
                file[key] = numpy.full((3, 3), 10 * shard + layer, "f4")
                weights["tf_bert_model/" + key] = name
    index = out / "tensorflow" / "tf_model.h5.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 144}, "weight_map": weights}))
    (out / "tensorflow" / "config.json").write_text('{"model_type": "bert"}')
    case("tensorflow")
    case("tensorflow", index)
    for number, one in enumerate(found):
        one["name"] += f"-{number}"
    json.dump(found, sys.stdout)


def view(mount):
    """Every tensor of the view, by the header of safetensors."""
    tensors = {}
    for path in pathlib.Path(mount).glob("model*.safetensors"):
        data = path.read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        for key, entry in json.loads(data[8:end]).items():
            if key != "__metadata__":
                begin, stop = entry["data_offsets"]
                dtype = {"F32": "<f4", "BF16": ml_dtypes.bfloat16}[entry["dtype"]]
                tensors[key] = numpy.frombuffer(data[end + begin:end + stop], dtype).reshape(entry["shape"])
    return tensors


def verify(case):
    directory, mount = pathlib.Path(case["directory"]), pathlib.Path(case["mount"])
    want = {}
    for path in directory.glob("*.h5"):
        if not path.name.startswith("task"):
            with h5py.File(path) as file:
                file.visititems(lambda key, item: want.update({key: item[()]}) if isinstance(item, h5py.Dataset) else None)
    want = {key: value for key, value in want.items() if not key.startswith("optimizer/")}
    got = view(mount)
    if want.keys() != got.keys() or not want:
        yield f"keys {sorted(want.keys() ^ got.keys())[:4]} are on one side only"
    for key in want.keys() & got.keys():
        if not numpy.array_equal(want[key], got[key]):
            yield f"{key} differs"
    if case["name"].startswith(("unpacked", "preset")):
        loaded = keras.saving.load_model(mount)
        for a, b in zip(keras.saving.load_model(directory).get_weights(), loaded.get_weights(), strict=True):
            if not numpy.array_equal(a, b):
                yield "load_model gives other weights"
    if case["source"].endswith("sharded"):
        one, other = model(3), model(3)
        one.load_weights(directory / "model.weights.json")
        other.load_weights(mount / "model.weights.json")
        if not all(numpy.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)):
            yield "load_weights gives other weights"
    if case["source"] == case["directory"]:
        for path in directory.rglob("*"):
            if path.is_file() and not path.name.startswith("tf_model"):
                if (mount / path.relative_to(directory)).read_bytes() != path.read_bytes():
                    yield f"{path.name} differs"


if sys.argv[1] == "write":
    write(pathlib.Path(sys.argv[2]))
else:
    cases.check(verify)
