"""Writes files with Keras 2, Keras 3 and h5py, and beside each what h5py reads in it.

usage: write_keras.py DIRECTORY 2|3; stdout: [{"name", "source", "expected", "root"}]
expected is an .npz of every numeric dataset by its path; bfloat16 as uint16.
"""

import json
import os
import pathlib
import sys
import zipfile
import io

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import numpy as np

out, version = pathlib.Path(sys.argv[1]), sys.argv[2]
cases = []


def read(file):
    values = {}

    def visit(path, obj):
        if isinstance(obj, h5py.Dataset) and obj.shape is not None and obj.dtype.kind in "iufcbV":
            data = obj[()]
            if obj.dtype.kind == "V":
                if obj.attrs.get("dtype") != "bfloat16":
                    return
                data = np.asarray(data).view(np.uint16)
            values[path] = np.asarray(data)
    with h5py.File(file, "r") as f:
        f.visititems(visit)
    return values


def case(name, root="", member=None, **more):
    path = out / name
    file = path
    if member:
        with zipfile.ZipFile(path) as z:
            file = io.BytesIO(z.read(member))
    values = read(file)
    np.savez(out / f"{name}.npz", **{k.replace("/", "|"): v for k, v in values.items()})
    cases.append({"name": f"keras{version}-{name}", "source": str(path), "expected": str(out / f"{name}.npz"), "root": root, **more})


def shards(m):
    """The shards of a .weights.json hold together what one file would."""
    index = json.loads((out / "sharded.weights.json").read_text())
    files = sorted({f for v in index["weight_map"].values() for f in ([v] if isinstance(v, str) else v)})
    assert len(files) > 1, files
    values = {}
    for file in files:
        values.update(read(out / file))
    np.savez(out / "sharded.npz", **{k.replace("/", "|"): v for k, v in values.items()})
    cases.append({"name": "keras3-sharded", "source": str(out / "sharded.weights.json"), "expected": str(out / "sharded.npz"), "root": ""})


def model(layers, sequential, model_class, inputs):
    x = inputs((8,), name="in")
    inner = sequential([layers.Dense(5, name="inner_dense"), layers.BatchNormalization()], name="inner")
    y = inner(layers.Dense(6, activation="relu", name="first")(x))
    y = layers.Reshape((5, 1))(y)
    y = layers.LSTM(4)(y)
    return model_class(x, layers.Dense(3, name="last")(y))


def main():
    if version == "2":
        import tf_keras as keras
    else:
        import keras
    layers = keras.layers
    keras.utils.set_random_seed(4)
    m = model(layers, keras.Sequential, keras.Model, keras.Input if version == "3" else keras.Input)
    m.compile("adam", "mse")
    m.fit(np.random.rand(16, 8), np.random.rand(16, 3), verbose=0)
    m.save(out / "whole.h5")
    case("whole.h5", root="model_weights")
    inputs = np.random.rand(7, 8).astype("float32")
    np.savez(out / "predict.npz", inputs=inputs, outputs=m.predict(inputs, verbose=0))
    if version == "2":
        m.save_weights(out / "weights.h5")
        case("weights.h5", predict=str(out / "predict.npz"), model=str(out / "model.json"))
        (out / "model.json").write_text(m.to_json())
        m.save(out / "v2.keras", save_format="keras")
        case("v2.keras", member="model.weights.h5")
    else:
        m.save_weights(out / "model.weights.h5")
        case("model.weights.h5")
        m.save(out / "model.keras")
        case("model.keras", member="model.weights.h5", passed=["config.json", "metadata.json"])
        keras.saving.save_weights(m, out / "sharded.weights.json", max_shard_size=0.0000005) \
            if hasattr(keras.saving, "save_weights") else m.save_weights(out / "sharded.weights.json", max_shard_size=0.0000005)
        shards(m)
        keras.config.set_dtype_policy("bfloat16")
        b = keras.Sequential([keras.Input((4,)), layers.Dense(12), layers.Embedding(3, 2)])
        b.save_weights(out / "bf16.weights.h5")
        case("bf16.weights.h5")
        keras.config.set_dtype_policy("float32")
        many = keras.Sequential([keras.Input((4,))] + [layers.Dense(4, name=f"layer_{i}_" + "x" * 600) for i in range(120)])
        many.save(out / "many.h5")
        case("many.h5", root="model_weights")
        lam = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1), layers.Dense(2)])
        lam.save(out / "lambda.keras")
        case("lambda.keras", member="model.weights.h5", scan=3)
    with h5py.File(out / "plain.h5", "w") as f:
        f["a/b"] = np.arange(12, dtype=">f4").reshape(3, 4)
        f["a/link"] = f["a/b"]
        f["soft"] = h5py.SoftLink("/a/b")
        f.create_dataset("gz", data=np.random.rand(100, 70), chunks=(30, 30), compression="gzip", shuffle=True, fletcher32=True)
        f.create_dataset("lzf", data=np.arange(1000), chunks=True, compression="lzf")
        f.create_dataset("late", (5, 5), "i2", fillvalue=7)
        f["flags"] = np.array([True, False])
        f["z"] = np.array([1 + 2j])
        f["text"] = "words"
        f["outside"] = h5py.ExternalLink("other.h5", "/x")
    case("plain.h5", omitted=["text", "outside"])
    json.dump(cases, sys.stdout)


main()
