"""Directories of Keras: an unpacked .keras file, shards, presets of keras-hub, and TensorFlow's shards as transformers wrote them.

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
import keras_hub
import ml_dtypes
import numpy

import cases


BERT, GPT2 = keras_hub.models.BertBackbone, keras_hub.models.GPT2Backbone
SIZES = {"vocabulary_size": 7, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "max_sequence_length": 8}


def model(layers):
    return keras.Sequential([keras.Input((64,))] + [keras.layers.Dense(64) for _ in range(layers)])


def write_presets(out):
    """A backbone, a task with a tokenizer and with weights of its own, and one in shards: all that save_to_preset writes."""
    bert = BERT(**SIZES)
    bert.save_to_preset(str(out / "preset-backbone"))
    bert.save_to_preset(str(out / "preset-shards"), max_shard_size=0.000002)
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "the", "fox"]
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(keras_hub.models.BertTokenizer(vocabulary=words), sequence_length=8)
    task = keras_hub.models.BertTextClassifier(backbone=bert, num_classes=2, preprocessor=preprocessor)
    task.save_to_preset(str(out / "preset-task"))
    gpt = keras_hub.models.GPT2CausalLM(backbone=GPT2(**SIZES, dtype="bfloat16"), preprocessor=None)
    gpt.save_to_preset(str(out / "preset-bfloat16"))
    return ["preset-backbone", "preset-shards", "preset-task", "preset-bfloat16"]


def load_preset(name, directory):
    """What keras-hub makes of a directory: its weights, of a task also its answer and its words."""
    if "task" not in name:
        return keras_hub.models.Backbone.from_preset(str(directory)).get_weights()
    task = keras_hub.models.TextClassifier.from_preset(str(directory))
    inputs = {key: numpy.ones((1, 8), "int32") for key in ("token_ids", "segment_ids", "padding_mask")}
    tokenizer = keras_hub.tokenizers.Tokenizer.from_preset(str(directory))
    return [*task.get_weights(), numpy.asarray(task(inputs)), numpy.array(tokenizer.get_vocabulary())]


def write(out):
    found = []

    def case(name, source=None):
        found.append({"name": name, "source": str(source or out / name), "directory": str(out / name)})

    model(2).save(out / "model.keras")
    with zipfile.ZipFile(out / "model.keras") as archive:
        archive.extractall(out / "unpacked")
    for name in ["unpacked", *write_presets(out)]:
        case(name)

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


def values(dataset):
    """What h5py reads, where Keras writes bfloat16 as opaque elements with an attribute."""
    return dataset[()].view(ml_dtypes.bfloat16) if dataset.attrs.get("dtype") == "bfloat16" else dataset[()]


def verify(case):
    directory, mount = pathlib.Path(case["directory"]), pathlib.Path(case["mount"])
    want = {}
    for path in directory.glob("*.h5"):
        if not path.name.startswith("task"):
            with h5py.File(path) as file:
                file.visititems(lambda key, item: want.update({key: values(item)}) if isinstance(item, h5py.Dataset) else None)
    want = {key: value for key, value in want.items() if not key.startswith("optimizer/")}
    got = view(mount)
    if want.keys() != got.keys() or not want:
        yield f"keys {sorted(want.keys() ^ got.keys())[:4]} are on one side only"
    for key in want.keys() & got.keys():
        if not numpy.array_equal(want[key], got[key]):
            yield f"{key} differs"
    if case["name"].startswith("preset"):
        one, other = load_preset(case["name"], directory), load_preset(case["name"], mount)
        if len(one) < 10 or not all(numpy.array_equal(a, b) for a, b in zip(one, other, strict=True)):
            yield "from_preset gives another model"
    if case["name"].startswith("unpacked"):
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
