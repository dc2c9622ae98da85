"""Writes .npy and .npz files with numpy into the directory of argv. stdout: {"files": [{"path", "arrays": {key: {"dtype", "shape", "bytes"}}}],
"cases": [{"name", "source", "scan"}]}: of each array of the files its dtype and shape, and the SHA-256 of its bytes, little endian, in C order."""

import hashlib
import json
import os
import pathlib
import sys

import ml_dtypes
import numpy

out = pathlib.Path(sys.argv[1])
rng = numpy.random.default_rng(17)
NAMES = {"f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64", "u1": "U8", "u2": "U16", "u4": "U32",
         "u8": "U64", "b1": "BOOL", "c8": "C64", "c16": "C128", "M8[s]": "I64", "m8[ns]": "I64"}


def little(array):
    return array.astype(array.dtype.newbyteorder("<"), "C", copy=False)


def expected(key, array):
    """What wfs is to say of an array: of one of records its fields."""
    if array.dtype.names:
        entries = {}
        for name in array.dtype.names:
            if name:
                entries.update(expected(f"{key}.{name}" if key else name, array[name]))
        return entries
    if array.dtype == ml_dtypes.bfloat16:
        name = "BF16"
    elif array.dtype == ml_dtypes.float8_e5m2:
        name = "F8_E5M2"
    elif array.dtype == ml_dtypes.float8_e4m3fn:
        name = "U8"
    else:
        name = NAMES[array.dtype.str[1:]]
    data = little(array).tobytes("C")
    return {key or "tensor": {"dtype": name, "shape": list(array.shape), "bytes": hashlib.sha256(data).hexdigest()}}


def numbers(dtype, shape):
    size = max(1, int(numpy.prod(shape))) * dtype.itemsize
    data = numpy.frombuffer(rng.bytes(size), "u1")
    if dtype == bool:
        data = data & 1
    array = data.view(dtype)[:int(numpy.prod(shape))].reshape(shape)
    return numpy.asfortranarray(array) if rng.integers(2) else array


def simple():
    return numpy.dtype(str(rng.choice(["<", ">"])) + str(rng.choice(list(NAMES))))


def record():
    """A random record: packed or aligned, with arrays and records in it."""
    fields = []
    for i in range(rng.integers(1, 6)):
        kind = simple() if rng.integers(4) else numpy.dtype([("p", simple()), ("q", simple(), (2,))])
        fields.append((f"f{i}", kind, tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))))
    return numpy.dtype(fields, align=bool(rng.integers(2)))


def random():
    shape = tuple(int(n) for n in rng.integers(0 if not rng.integers(8) else 1, 7, rng.integers(0, 5)))
    match rng.integers(10):
        case 0:
            kind = record()
            array = numpy.zeros(shape, kind)
            for name in kind.names:
                field = array[name]
                if field.dtype.names:
                    for inner in field.dtype.names:
                        field[inner] = numbers(field.dtype[inner].base, field[inner].shape)
                else:
                    field[...] = numbers(field.dtype, field.shape)
            return array
        case 1:
            return rng.standard_normal(shape).astype([ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn][rng.integers(3)])
    return numbers(simple(), shape)


files = []
for number in range(600):
    path, array = out / f"{number}.npy", random()
    version = [None, (2, 0), (3, 0)][rng.integers(3)]
    with open(path, "wb") as file:
        numpy.lib.format.write_array(file, numpy.asanyarray(array), version)
    own = array.dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn)  # numpy.load does not know these
    files.append({"path": str(path), "arrays": expected("", numpy.asanyarray(array) if own else numpy.load(path))})
for number in range(12):
    arrays = {f"layer{i // 5}/w.{i}" if number % 2 else f"layer.{i}": random() for i in range(60)}
    path = out / f"{number}.npz"
    (numpy.savez_compressed if number % 3 else numpy.savez)(path, **arrays)
    files.append({"path": str(path), "arrays": {k: v for key, array in arrays.items() for k, v in expected(key, numpy.asanyarray(array)).items()}})

cases = []


def case(name, source, scan=0):
    cases.append({"name": name, "source": str(source), "scan": scan})
    return source


def weights():
    return {f"params/layer{i}/{kind}": rng.standard_normal(shape).astype("f4")
            for i in range(3) for kind, shape in (("kernel", (300, 200)), ("bias", (200,)))}


numpy.savez(case("stored", out / "stored.npz"), **weights(), step=numpy.array(7), big=numpy.arange(6, dtype=">u4"))
numpy.savez_compressed(case("deflated", out / "deflated.npz"), **weights(), turned=numpy.asfortranarray(rng.integers(0, 9, (700, 500))))
numpy.save(case("one array", out / "one.npy"), numpy.asfortranarray(rng.standard_normal((300, 70, 3))))
directory = case("a directory", out / "arrays")
for key, array in weights().items():
    path = directory / f"{key}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    numpy.save(path, array)
(directory / "README.md").write_text("# arrays")
hub = case("a directory of one", out / "hub")
hub.mkdir()
numpy.savez(hub / "weights.npz", **weights())
(hub / "config.json").write_text("{}")


class Runs:
    def __reduce__(self):
        return os.system, ("true",)


numpy.savez(case("objects", out / "objects.npz", 3), w=numpy.ones(3), o=numpy.array([Runs()], object))
json.dump({"files": files, "cases": cases}, sys.stdout)
