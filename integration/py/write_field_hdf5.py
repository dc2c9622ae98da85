"""Writes HDF5 and Keras files of kinds that people have and few tests do.

    write_field_hdf5.py DIRECTORY SEED

prints a JSON list of cases: name, source; "notes": words that wfs says when it mounts; "refused": h5py does not open
it, and "values" are the lists that it holds; "view": the keys of the view; "load": Keras loads the mount as the file.
"""

import json
import os
import subprocess
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

directory, seed = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(seed)
cases = []


def case(name, **more):
    path = os.path.join(directory, name)
    cases.append(dict(more, name=name, source=path))
    return path


def filters():
    """Chunks that went through filters in every order."""
    generator = os.path.join(os.path.dirname(__file__), "..", "..", "formats", "hdf5", "testdata", "make_filters.py")
    for libver in range(3):
        folder = os.path.join(directory, "filters%d" % libver)
        os.mkdir(folder)
        subprocess.run([sys.executable, generator, folder, str(3 * seed + libver), "80"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case(os.path.join("filters%d" % libver, "filters.h5"), omitted="szip after")


def types():
    """Bitfields, integers with bits that mean nothing, opaque elements."""
    path = case("types.h5", notes=["opaque", "U8"], bytes=["void", "void scalar", "void chunked"])
    with h5py.File(path, "w") as f:
        def low(name, t, values, memory=None, chunk=None):
            plist = h5p.create(h5p.DATASET_CREATE)
            if chunk:
                plist.set_chunk(chunk)
                plist.set_filter(h5z.FILTER_NBIT, 0, ())
            h5d.create(f.id, name.encode(), t, h5s.create_simple(values.shape), plist).write(h5s.ALL, h5s.ALL, values, memory or t)

        f.create_group("bits")
        for size, types in {1: ("STD_B8LE", "STD_B8BE"), 2: ("STD_B16LE", "STD_B16BE"), 4: ("STD_B32LE", "STD_B32BE"), 8: ("STD_B64LE", "STD_B64BE")}.items():
            for t in types:
                low("bits/" + t, getattr(h5t, t), np.frombuffer(rng.bytes(6 * size), "u%d" % size).reshape(2, 3))
        f.create_group("narrow")
        for base, memory in [("STD_I16LE", "i2"), ("STD_I32BE", "i4"), ("STD_U64LE", "u8"), ("STD_I8LE", "i1"), ("STD_U16BE", "u2")]:
            bits = 8 * np.dtype(memory).itemsize
            t = getattr(h5t, base).copy()
            precision = int(rng.integers(bits // 2, bits + 1))
            t.set_precision(precision)
            t.set_offset(int(rng.integers(0, bits - precision + 1)))
            for chunk in (None, (2, 3)):
                values = rng.integers(0, 1 << precision // 2, (5, 7)).astype(memory)
                low("narrow/%s %s" % (base, chunk), t, values, h5t.py_create(np.dtype(memory)), chunk)
        f["void"] = np.frombuffer(rng.bytes(5 * 6), "V5").reshape(2, 3)
        f["void scalar"] = np.void(b"abc")
        f.create_dataset("void chunked", data=np.frombuffer(rng.bytes(8 * 9), "V8"), chunks=(4,), compression="gzip")


def links():
    """Names of groups and datasets, hard, soft, in circles."""
    path = case("links.h5")
    with h5py.File(path, "w", libver=str(rng.choice(["earliest", "latest"]))) as f:
        groups = [f]
        for i in range(6):
            group = groups[int(rng.integers(len(groups)))].create_group("g%d" % i)
            group["w"] = rng.normal(size=(2, 3)).astype("f4")
            groups.append(group)
        for i in range(6):
            a, b = (groups[int(n)] for n in rng.integers(0, len(groups), 2))
            a["again%d" % i] = b if rng.random() < 0.5 else h5py.SoftLink(b.name)


def left_open():
    live, path = os.path.join(directory, "live.h5"), case("left_open.h5", notes=["open for writing"], refused=True, values={"x": [0.0, 1.0, 2.0, 3.0]})
    with h5py.File(live, "w", libver="latest") as f:
        f.create_dataset("x", data=np.arange(4.0), chunks=(4,), maxshape=(None,))
        f.flush()
        with open(live, "rb") as source, open(path, "wb") as out:
            out.write(source.read())
    os.remove(live)


def zips():
    """.keras files with other members in front, whole and deflated."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.PReLU(), keras.layers.Dense(2)])
    plain = case("plain.keras", load=True)
    model.save(plain)
    cases[-1]["layers"] = [["layers/%s/vars/0" % group, layer.name] for group, layer in
                           zip(["dense", "p_re_lu", "dense_1"], model.layers, strict=True)]
    firsts = {"directory": "assets/", "dot": "./", "other": "notes/words.txt", "mac": "__MACOSX/._config.json", "weights": None}
    for name, first in firsts.items():
        path = case("first_%s.keras" % name, load=True)
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
            if first:
                archive.writestr(first, b"" if first.endswith("/") else b"x")
            for member in sorted(source.namelist(), reverse=first is None):
                archive.writestr(member, source.read(member))


class Meter(keras.layers.Layer):
    """Counts its calls: its first variables are those of an optimizer."""

    def build(self, shape):
        self.calls = self.add_weight((), dtype="int32", initializer="zeros", trainable=False)
        self.scale = self.add_weight(())
        self.kernel = self.add_weight((7, 5))
        self.bias = self.add_weight((5,))


def optimizers():
    class Adversarial(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
            self.critic = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
            self.generator_optimizer = keras.optimizers.AdamW()
            self.opt_critic = keras.optimizers.LossScaleOptimizer(keras.optimizers.RMSprop())
            self.spare = {"a": keras.optimizers.SGD(momentum=0.5), "b": keras.optimizers.Lion()}
            self.stepper = keras.optimizers.Adam(name="slow", amsgrad=True)
            self.keeper = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(name="inside"), name="outside")
            self.meter = Meter()
            self.tail_optimizer = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="adam")

        def call(self, x):
            return self.critic(self.generator(x))

    model = Adversarial()
    model.compile()
    model(np.zeros((1, 2)))
    model.meter.build(None)
    for optimizer in (model.generator_optimizer, model.opt_critic, model.stepper, model.keeper, *model.spare.values()):
        optimizer.build(model.generator.trainable_variables)
    path = case("two.weights.h5", view=len(model.weights))
    model.save_weights(path)


for write in (filters, types, links, left_open, zips, optimizers):
    write()
json.dump(cases, sys.stdout)
