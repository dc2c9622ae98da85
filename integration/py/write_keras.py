"""Writes files with Keras 2, Keras 3 and h5py, and beside each what h5py reads in it.

usage: write_keras.py DIRECTORY 2|3; stdout: a list of cases for verify_keras.py. "expected" is a pickle of
{"values": arrays by path, bfloat16 as uint16; "attributes": of every object, by path; "order": paths as Keras lists them}
"""

import io
import json
import os
import pathlib
import pickle
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras_models
import numpy as np

out, version = pathlib.Path(sys.argv[1]), sys.argv[2]
cases = []


def read(file):
    values, attributes, order = {}, {}, []

    def visit(path, obj):
        attributes[path] = {name: plain(value) for name, value in obj.attrs.items()}
        if isinstance(obj, h5py.Dataset) and obj.shape is not None and obj.dtype.kind in "iufcbV":
            data = obj[()]
            if obj.dtype.kind == "V":
                if obj.attrs.get("dtype") != "bfloat16":
                    return
                data = np.asarray(data).view(np.uint16)
            values[path] = np.asarray(data)

    with h5py.File(file, "r") as f:
        visit("", f)
        f.visititems(visit)
        root = "model_weights" if "model_weights" in f else ""
        for layer in names(f[root or "/"], "layer_names"):
            group = "/".join(filter(None, [root, layer]))
            order += [f"{group}/{weight}" for weight in names(f[group], "weight_names")]
    return {"values": values, "attributes": attributes, "order": order}


def names(group, name):
    """Names as Keras's own reader finds them, over several attributes."""
    from keras.src.legacy.saving import legacy_h5_format
    try:
        return list(legacy_h5_format.load_attributes_from_hdf5_group(group, name))
    except KeyError:
        return []


def plain(value):
    """An attribute's value as meta/objects.json has it."""
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.reshape(-1)]
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def case(name, member=None, source=None, expected=None, **more):
    path = out / (source or name)
    if expected is None:
        file = path
        if member:
            with zipfile.ZipFile(path) as z:
                file = io.BytesIO(z.read(member))
        expected = read(file)
    with open(out / f"{name}.pickle", "wb") as file:
        pickle.dump(expected, file)
    cases.append({"name": f"keras{version}-{name}", "source": str(path), "expected": str(out / f"{name}.pickle"), "version": version, **more})


def predicted(model, build, how):
    """What verify_keras.py needs to build the model anew and to compare its answers."""
    answers = out / f"{model.name}-{len(cases)}.npy"
    np.save(answers, np.asarray(model(keras_models.inputs()), "float32"))
    return {"build": build, "how": how, "answers": str(answers)}


def sharded(model):
    """The shards of a .weights.json hold together what one file would."""
    model.save_weights(out / "sharded.weights.json", max_shard_size=0.0000005)
    index = json.loads((out / "sharded.weights.json").read_text())
    files = sorted({f for v in index["weight_map"].values() for f in ([v] if isinstance(v, str) else v)})
    assert len(files) > 1, files
    together = {"values": {}, "attributes": None, "order": []}
    for file in files:
        together["values"].update(read(out / file)["values"])
    case("sharded", source="sharded.weights.json", expected=together, **predicted(model, "functional", "paths"))


def rewritten(source, name, method=zipfile.ZIP_STORED, **replace):
    """A copy of a .keras file with other members or another compression."""
    with zipfile.ZipFile(out / source) as old, zipfile.ZipFile(out / name, "w", method) as new:
        for member in old.namelist():
            new.writestr(member, replace.get(member.replace(".", "_"), old.read(member)))


def keras2():
    import tf_keras as keras
    model = keras_models.trained(keras_models.functional, keras, metrics=["mae"])
    model.save(out / "whole.h5")
    case("whole.h5", root="model_weights", **predicted(model, "functional", "order"))
    model.save_weights(out / "weights.h5")
    case("weights.h5", **predicted(model, "functional", "order"))
    model.save(out / "v2.keras", save_format="keras")
    case("v2.keras", member="model.weights.h5", passed=["config.json", "metadata.json"])
    model.save_weights(out / "v2.weights.h5")
    case("v2.weights.h5")
    tiny = keras_models.trained(keras_models.hugging_face, keras)
    (out / "hf").mkdir()
    tiny.save_weights(out / "hf/tf_model.h5")
    (out / "hf/config.json").write_text('{"model_type": "tiny"}')
    case("hf", expected=read(out / "hf/tf_model.h5"), passed=["config.json"], scan=None, **predicted(tiny, "hugging_face", "order"))
    lamb = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1), keras.layers.Dense(2)])
    lamb.save(out / "lambda.h5")
    case("lambda.h5", root="model_weights", scan=3)


def keras3():
    import keras
    layers = keras.layers
    model = keras_models.trained(keras_models.functional, keras, metrics=["mae"])
    model.save(out / "whole.h5")
    case("whole.h5", root="model_weights", **predicted(model, "functional", "order"))
    model.save_weights(out / "model.weights.h5")
    case("model.weights.h5", **predicted(model, "functional", "paths"))
    model.save(out / "model.keras")
    case("model.keras", member="model.weights.h5", passed=["config.json", "metadata.json"], **predicted(model, "functional", "paths"))
    rewritten("model.keras", "deflated.keras", zipfile.ZIP_DEFLATED)
    case("deflated.keras", member="model.weights.h5")
    rewritten("model.keras", "nan.keras", config_json=b'{"class_name": "Lambda", "rate": NaN}')
    case("nan.keras", member="model.weights.h5", scan=2)
    rewritten("model.keras", "module.keras", config_json=b'{"module": "os", "class_name": "system", "config": {}}')
    case("module.keras", member="model.weights.h5", scan=2)
    sharded(model)
    net = keras_models.trained(keras_models.subclassed, keras)
    net.save_weights(out / "subclassed.weights.h5")
    case("subclassed.weights.h5", **predicted(net, "subclassed", "paths"))
    long = keras_models.many(keras)  # built with random weights, and slow to train
    long.save(out / "many.h5")
    assert len(read(out / "many.h5")["order"]) == 2 * 191
    with h5py.File(out / "many.h5") as f:
        assert "layer_names1" in f["model_weights"].attrs and "weight_names1" in f["model_weights/inner"].attrs
    case("many.h5", root="model_weights", **predicted(long, "many", "order"))
    keras.config.set_dtype_policy("mixed_float16")
    mixed = keras_models.trained(keras_models.functional, keras)
    mixed.save(out / "mixed.keras")  # a LossScaleOptimizer, which holds another
    case("mixed.keras", member="model.weights.h5")
    keras.config.set_dtype_policy("bfloat16")
    brain = keras_models.trained(keras_models.subclassed, keras)
    brain.save_weights(out / "bf16.weights.h5")
    case("bf16.weights.h5", policy="bfloat16", **predicted(brain, "subclassed", "paths"))
    keras.config.set_dtype_policy("float32")
    lamb = keras.Sequential([keras.Input((3, 4)), layers.TimeDistributed(layers.Lambda(lambda x: x + 1, output_shape=(4,))), layers.Dense(2)])
    lamb.save(out / "lambda.keras")
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
        f["rows"] = np.zeros(2, [("x", "f4"), ("name", "S3")])
        f.create_dataset("refs", (2,), h5py.ref_dtype)
        f["outside"] = h5py.ExternalLink("other.h5", "/x")
        f["a"].attrs["nothing"] = h5py.Empty("f4")
        f["a/b"].attrs["scale"] = np.array([0.5, -2])
    case("plain.h5", omitted={"text": "strings", "rows": "compound type {x, name}", "refs": "reference", "outside": "external link"},
         links=["soft", "a/link"])


{"2": keras2, "3": keras3}[version]()
json.dump(cases, sys.stdout)
