"""Writes GGUF files with gguf into the directory of argv. stdout: {"files": [{"path", "tensors": {key: {"dtype", "shape", "raw", "f32"}}}],
"cases": [{"name", "source"}]}: of each tensor of the files the SHA-256 of its bytes and of gguf.dequantize, with all NaNs alike."""

import hashlib
import json
import pathlib
import sys

import gguf
import numpy

KIND = gguf.GGMLQuantizationType
BLOCKS = ("Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ1_S IQ1_M IQ4_NL IQ4_XS TQ1_0 TQ2_0 "
          "MXFP4 NVFP4").split()
QUANTIZED = "BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 TQ1_0 TQ2_0 MXFP4".split()  # of which gguf makes blocks itself
PLAIN = {"F32": numpy.float32, "F16": numpy.float16, "F64": numpy.float64,
         "I8": numpy.int8, "I16": numpy.int16, "I32": numpy.int32, "I64": numpy.int64}
out = pathlib.Path(sys.argv[1])
rng = numpy.random.default_rng(11)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def floats(data, kind):
    """What gguf makes of a tensor, as the SHA-256 of float32; none where it has no such function, or nothing to do."""
    if kind in (KIND.F32, KIND.F64, KIND.I8, KIND.I16, KIND.I32, KIND.I64):
        return ""
    with numpy.errstate(all="ignore"):
        wide = gguf.dequantize(data, kind)
    return sha256(numpy.where(numpy.isnan(wide), numpy.float32(numpy.nan), wide))


def shape(last=None):
    dims = [int(n) for n in rng.integers(1, 6, rng.integers(0 if last is None else 1, 5))]
    if last:
        dims[-1] = last * int(rng.integers(1, 4))
    return tuple(dims)


def add(writer, key, name):
    """A tensor of a type: of random bytes, or of numbers that gguf quantizes."""
    kind = KIND[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if name in PLAIN:
        dims = shape()
        data = numpy.frombuffer(rng.bytes(max(1, int(numpy.prod(dims))) * size), PLAIN[name]).reshape(dims)
        writer.add_tensor(key, data)
    elif name in QUANTIZED and rng.integers(2):
        dims = shape(elements)
        data = gguf.quantize((rng.standard_normal(dims) * 10.0 ** rng.integers(-4, 3)).astype(numpy.float32), kind)
        writer.add_tensor(key, data, raw_dtype=kind)
    else:
        dims = shape(elements)
        data = rng.integers(0, 256, (*dims[:-1], dims[-1] // elements * size), numpy.uint8)
        writer.add_tensor(key, data, raw_dtype=kind)
    return {"dtype": name, "shape": list(dims), "raw": sha256(data), "f32": floats(data, kind)}


files = []
for number in range(40):
    path = out / f"random-{number}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for i in range(rng.integers(0, 20)):
        getattr(writer, str(rng.choice(["add_uint32", "add_float64", "add_int64", "add_uint8"])))(f"test.{i}", int(rng.integers(0, 100)))
    writer.add_array("test.texts", [rng.bytes(6).hex() for _ in range(1000)])
    if number % 3:
        writer.add_custom_alignment(int(rng.choice([8, 32, 64, 4096])))
    names = [*BLOCKS, *PLAIN, "BF16"]
    rng.shuffle(names)
    files.append({"path": str(path), "tensors": {f"blk.{i}.{name}": add(writer, f"blk.{i}.{name}", name) for i, name in enumerate(names)}})
    finish(writer)

cases = []


def case(name, source):
    cases.append({"name": name, "source": str(source)})
    return source


def model(writer):
    """The tensors that a quantized model has."""
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list([f"<{i}>" for i in range(3000)])
    for name in ("token_embd.weight", "output.weight"):
        writer.add_tensor(name, gguf.quantize(rng.standard_normal((300, 256)).astype(numpy.float32), KIND.Q8_0), raw_dtype=KIND.Q8_0)
    for i in range(4):
        writer.add_tensor(f"blk.{i}.attn_norm.weight", rng.standard_normal(256).astype(numpy.float32))
        writer.add_tensor(f"blk.{i}.attn_q.weight", rng.integers(0, 256, (256, 144), numpy.uint8), raw_dtype=KIND.Q4_K)
        writer.add_tensor(f"blk.{i}.ffn_gate_exps.weight", rng.integers(0, 256, (3, 64, 66), numpy.uint8), raw_dtype=KIND.IQ2_XXS)
        writer.add_tensor(f"blk.{i}.ffn_up.weight", gguf.quantize(rng.standard_normal((64, 256)).astype(numpy.float32), KIND.BF16), raw_dtype=KIND.BF16)
    finish(writer)


model(gguf.GGUFWriter(case("whole", out / "whole.gguf"), "llama"))

big = gguf.GGUFWriter(case("big endian", out / "big.gguf"), "llama", endianess=gguf.GGUFEndian.BIG)
for name in PLAIN:
    add(big, name, name)
finish(big)

for name, small in (("split", False), ("split with an empty first", True)):
    directory = out / name.replace(" ", "-")
    directory.mkdir()
    model(gguf.GGUFWriter(directory / "m-Q4_K_M.gguf", "llama", split_max_tensors=4, small_first_shard=small))
    parts = sorted(directory.iterdir())
    case(name + " by its first", parts[0])
    case(name + " by its last", parts[-1])
    (directory / "config.json").write_text("{}")
    case(name + " by its directory", directory)

hub = out / "hub"
hub.mkdir()
model(gguf.GGUFWriter(hub / "m-Q4_K_M.gguf", "llama"))
(hub / "README.md").write_text("# m")
projector = gguf.GGUFWriter(hub / "mmproj-F16.gguf", "clip")
projector.add_tensor("mm.0.weight", numpy.ones(2, numpy.float32))
finish(projector)
case("a directory", hub)

json.dump({"files": files, "cases": cases}, sys.stdout)
