"""Writes the files beside it with gguf."""

import pathlib

import gguf
import numpy

HERE = pathlib.Path(__file__).parent
KIND = gguf.GGMLQuantizationType
BLOCKS = ("Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ1_S IQ1_M IQ4_NL IQ4_XS TQ1_0 TQ2_0 "
          "MXFP4 NVFP4").split()
rng = numpy.random.default_rng(3)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def numbers(writer):
    for kind in (numpy.float32, numpy.float16, numpy.float64):
        writer.add_tensor(f"a.{numpy.dtype(kind)}", rng.standard_normal((2, 3)).astype(kind))
    for kind in (numpy.int8, numpy.int16, numpy.int32, numpy.int64):
        writer.add_tensor(f"a.{numpy.dtype(kind)}", rng.integers(-100, 100, (3, 1, 2)).astype(kind))
    writer.add_tensor("a.bf16", rng.integers(0, 256, (2, 6), numpy.uint8), raw_dtype=KIND.BF16)
    writer.add_tensor("none", numpy.zeros((0, 4), numpy.float32))
    writer.add_tensor("scalar", numpy.array(2.5, numpy.float32))


everything = gguf.GGUFWriter(HERE / "everything.gguf", "llama")
everything.add_name("everything")
everything.add_uint8("test.u8", 200)
everything.add_int8("test.i8", -100)
everything.add_uint16("test.u16", 60000)
everything.add_int16("test.i16", -30000)
everything.add_uint32("test.u32", 4000000000)
everything.add_int32("test.i32", -2000000000)
everything.add_float32("test.f32", 1e-5)
everything.add_float64("test.f64", 0.1)
everything.add_float32("test.nan", float("nan"))
everything.add_bool("test.bool", True)
everything.add_uint64("test.u64", 1 << 63)
everything.add_int64("test.i64", -(1 << 62))
everything.add_array("test.floats", [0.5, 1.5])
everything.add_array("test.flags", [True, False])
everything.add_token_list([f"token{i}" for i in range(100)])
everything.add_chat_template("{% for m in messages %}{{ m }}\n{% endfor %}")
numbers(everything)
for name in BLOCKS:
    elements, size = gguf.GGML_QUANT_SIZES[KIND[name]]
    everything.add_tensor(f"blk.0.{name}.weight", rng.integers(0, 256, (2, size), numpy.uint8), raw_dtype=KIND[name])
finish(everything)

big = gguf.GGUFWriter(HERE / "big.gguf", "llama", endianess=gguf.GGUFEndian.BIG)
big.add_uint32("test.u32", 7)
numbers(big)
big.add_tensor("blk.0.weight", rng.integers(0, 256, (2, 34), numpy.uint8), raw_dtype=KIND.Q8_0)
finish(big)

aligned = gguf.GGUFWriter(HERE / "aligned.gguf", "llama")
aligned.add_custom_alignment(128)
aligned.add_tensor("one", numpy.arange(3, dtype=numpy.float32))
aligned.add_tensor("two", numpy.arange(5, dtype=numpy.float16))
finish(aligned)

lora = gguf.GGUFWriter(HERE / "lora.gguf", "llama")
lora.add_type(gguf.GGUFType.ADAPTER)
lora.add_string(gguf.Keys.Adapter.TYPE, "lora")
lora.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 16)
for half in ("lora_a", "lora_b"):
    lora.add_tensor(f"blk.0.attn_q.weight.{half}", rng.standard_normal((2, 3)).astype(numpy.float32))
finish(lora)

split = gguf.GGUFWriter(HERE / "split.gguf", "llama", split_max_tensors=2)
split.add_chat_template("{{ messages }}")
for i in range(5):
    split.add_tensor(f"blk.{i}.weight", numpy.full((2, 2), i, numpy.float32))
finish(split)
