"""Writes quantized checkpoints with the libraries that make them, and the plain weights that those compute.

write_quantized.py DIR makes directories DIR/FORMAT-VARIANT, each with config.json, model.safetensors and, for each
dtype that the weights can be asked for, expected-DTYPE.safetensors; and DIR/written.json, a list of them."""

import json
import os
import random
import sys

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # bitsandbytes would compile its formula for each shape

import torch
from safetensors.torch import load_file, save_file

torch.manual_seed(20)
random.seed(20)
torch.set_grad_enabled(False)
torch.set_num_threads(1)
OUT = sys.argv[1]
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
written = []


def write(name, config, tensors, plain, metadata=None):
    """plain makes the expected weights of a dtype."""
    folder = os.path.join(OUT, name)
    os.makedirs(folder)
    tensors = {key: t.contiguous().clone() for key, t in tensors.items()}
    tensors["model.norm.weight"] = torch.randn(7, dtype=torch.bfloat16)
    save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt", **(metadata or {})})
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"model_type": "llama", **config}, f, indent=1)
    for to, dtype in DTYPES.items():
        expected = {key: t.contiguous() for key, t in plain(dtype).items()}
        assert all(t.dtype == dtype for t in expected.values()), name
        save_file(expected, os.path.join(folder, f"expected-{to}.safetensors"))
    written.append(name)


def module(i):
    return f"model.layers.{i // 7}.mlp.{MODULES[i % 7]}"


def weight(rows, cols, dtype=torch.bfloat16):
    w = torch.randn(rows, cols) * 0.05
    if random.random() < 0.2:
        w[random.randrange(rows)] = 0
    return w.to(dtype)


def words(*shape):
    return torch.randint(-2**31, 2**31, shape, dtype=torch.int64).to(torch.int32)


def scales(*shape, dtype):
    return (torch.rand(*shape) * 0.02 + 1e-4).to(dtype)


def gptq():
    """TorchLinear's own modules: some packed by it of a weight, most of random codes, scales and orders."""
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.utils.model import convert_gptq_v1_to_v2_format_module

    for bits in 2, 3, 4, 8:
        for version in "gptq", "gptq_v2":
            tensors, expected = {}, {}
            size = random.choice([32, 64, 128, -1])
            for i in range(16):
                inputs, outputs = 32 * random.randint(1, 20), 32 * random.randint(1, 12)
                groups = -(-inputs // (size if size > 0 else inputs))
                q = TorchLinear(bits=bits, group_size=size, sym=False, desc_act=False, in_features=inputs, out_features=outputs)
                dtype = random.choice([torch.float16, torch.float16, torch.bfloat16])
                order = torch.arange(inputs) // (size if size > 0 else inputs)
                if i % 3 == 0:
                    order = order[torch.randperm(inputs)]
                if i % 4 == 1:
                    layer = torch.nn.Linear(inputs, outputs, bias=False)
                    layer.weight.data = weight(outputs, inputs, torch.float16)
                    s = scales(outputs, groups, dtype=torch.float16) + 0.01
                    q.pack(layer, s.float(), torch.randint(1, 2**bits, (outputs, groups)).float(), order.to(torch.int32))
                else:
                    q.qweight, q.qzeros = words(*q.qweight.shape), words(*q.qzeros.shape)
                    q.scales, q.g_idx = scales(groups, outputs, dtype=dtype), order.to(torch.int32)
                key = module(i)
                for name in "qweight", "qzeros", "scales", "g_idx":
                    if name != "g_idx" or i % 3 == 0 or i % 2:
                        tensors[f"{key}.{name}"] = getattr(q, name).clone()
                if version == "gptq":
                    convert_gptq_v1_to_v2_format_module(q, bits, torch.int32)
                q.post_init()
                expected[f"{key}.weight"] = q.dequantize_weight().T
                tensors[f"{key}.bias"] = torch.randn(outputs, dtype=torch.float16)
            config = {"quant_method": "gptq", "bits": bits, "group_size": size, "desc_act": True, "sym": False, "checkpoint_format": version}
            write(f"gptq-{bits}-{version}", {"torch_dtype": "float16", "quantization_config": config}, tensors,
                  lambda to: {k: v.to(to) for k, v in expected.items()})


def awq():
    from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm

    for size in 32, 128, -1:
        tensors, expected = {}, {}
        for i in range(40):
            inputs, outputs = (size if size > 0 else 8) * random.randint(1, 6), 8 * random.randint(1, 40)
            groups = inputs // (size if size > 0 else inputs)
            dtype = random.choice([torch.float16, torch.float16, torch.bfloat16])
            q, z, s = words(inputs, outputs // 8), words(groups, outputs // 8), scales(groups, outputs, dtype=dtype)
            key = module(i)
            tensors.update({f"{key}.qweight": q, f"{key}.qzeros": z, f"{key}.scales": s})
            expected[f"{key}.weight"] = dequantize_gemm(q, z, s, 4, size if size > 0 else inputs).T
        config = {"quant_method": "awq", "bits": 4, "group_size": size, "version": "gemm", "zero_point": True}
        write(f"awq-{size}", {"torch_dtype": "float16", "quantization_config": config}, tensors,
              lambda to: {k: v.to(to) for k, v in expected.items()})


def f8(rows, cols, dtype=torch.float8_e4m3fn):
    """All patterns, NaN among them, in a random order."""
    return torch.randint(0, 256, (rows, cols), dtype=torch.uint8).view(dtype)


def fp8():
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    library = Fp8Dequantize(None)
    for name, block in {"128": [128, 128], "64x32": [64, 32], "none": None}.items():
        tensors, weights, divides = {}, {}, set()
        for i in range(60):
            key = f"{module(i)}.weight"
            rows, cols = random.randint(1, 400), random.randint(1, 400)
            bm, bn = block or [rows, cols]
            if i % 3 == 0 and block:
                rows, cols = random.randint(1, 3) * bm, random.randint(1, 3) * bn
            w = f8(rows, cols, random.choice([torch.float8_e4m3fn, torch.float8_e4m3fn, torch.float8_e5m2]))
            grid = (-(-rows // bm), -(-cols // bn))
            s = scales(*grid, dtype=random.choice([torch.float32, torch.bfloat16]))
            if i % 5 == 0:
                s = torch.randint(0, 256, grid, dtype=torch.uint8)
            if i % 15 == 1:
                s = torch.randint(0, 256, grid, dtype=torch.uint8).view(torch.float8_e8m0fnu)
            if i % 6 == 0 and block:  # experts as MXFP4: two numbers in a byte, groups of 32
                rows, cols = random.randint(1, 40), random.randint(1, 8) * 32
                w = torch.randint(-128, 128, (rows, cols // 2), dtype=torch.int8)
                s = torch.randint(0, 256, (rows, cols // 32), dtype=torch.uint8)
            if rows % s.shape[0] == 0 and cols % s.shape[1] == 0 and (w.dtype == torch.int8 or (rows % bm, cols % bn) == (0, 0)):
                divides.add(key)
            if not block and i % 2:
                s = s.reshape(random.choice([[], [1]]))
            tensors[key], tensors[f"{key}_scale_inv"] = w, s
            weights[key] = (w, s, bm, bn)
        experts, grids = torch.stack([f8(100, 70) for _ in range(5)]), scales(5, *([2, 3] if block == [64, 32] else [1, 1]), dtype=torch.float32)
        if block:
            tensors["model.layers.9.mlp.experts.gate_up_proj"], tensors["model.layers.9.mlp.experts.gate_up_proj_scale_inv"] = experts, grids

        def plain(to):
            expected = {}
            for key, (w, s, bm, bn) in weights.items():
                if key in divides and s.ndim == 2:
                    expected[key] = library._dequantize_one(w, s, to)
                    continue
                wide = (s.float() - 127).exp2() if s.dtype == torch.uint8 else s.float()
                if wide.ndim == 2:  # the library's own formula, with blocks by config and not by division
                    wide = wide.repeat_interleave(bm, 0).repeat_interleave(bn, 1)[: w.shape[0], : w.shape[1]]
                expected[key] = (w.float() * wide).to(to)
            if block:
                wide = grids.repeat_interleave(block[0], 1).repeat_interleave(block[1], 2)[:, :100, :70]
                expected["model.layers.9.mlp.experts.gate_up_proj"] = (experts.float() * wide).to(to)
            return expected

        config = {"quant_method": "fp8", "weight_block_size": block, "activation_scheme": "dynamic"}
        write(f"fp8-{name}", {"dtype": "bfloat16", "quantization_config": config}, tensors, plain)


def bitsandbytes():
    import bitsandbytes as bnb
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    for kind in "nf4", "fp4":
        for nested in False, True:
            tensors, states = {}, {}
            for i in range(40):
                shape = random.choice([[random.randint(1, 300), random.randint(1, 300)], [random.randint(1, 9000)], [3, random.randint(1, 40), random.randint(1, 60)]])
                if i < 2:
                    shape = [700, 1000]
                w = (torch.randn(*shape) * 0.05).to(random.choice(list(DTYPES.values())))
                storage = torch.uint8
                if i % 7 == 3:
                    shape, storage = [2 * shape[0], 4], random.choice([torch.bfloat16, torch.float32])
                    w = torch.randn(*shape).to(torch.bfloat16)
                q, state = quantize_4bit(w, blocksize=random.choice([64, 64, 128, 32, 256, 1024]), compress_statistics=nested, quant_type=kind, quant_storage=storage)
                key = f"{module(i)}.weight"
                tensors[key] = q
                for name, t in state.as_dict(packed=True).items():
                    tensors[f"{key}.{name}"] = t
                states[key] = (q, state)
            config = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": nested}
            write(f"bnb-{kind}-{'nested' if nested else 'plain'}", {"torch_dtype": "bfloat16", "quantization_config": config}, tensors,
                  lambda to: {k: dequantize_4bit(q, s).to(to).reshape(s.shape) for k, (q, s) in states.items()})  # on a CPU [n] becomes [1, n]

    tensors, rows = {}, {}
    for i in range(100):
        q, stats, _ = bnb.functional.int8_vectorwise_quant(weight(random.randint(1, 200), random.randint(1, 300), torch.float16))
        key = module(i)
        tensors.update({f"{key}.weight": q, f"{key}.SCB": stats, f"{key}.weight_format": torch.tensor(0, dtype=torch.uint8)})
        rows[f"{key}.weight"] = (q, stats)
    config = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    write("bnb-int8", {"torch_dtype": "float16", "quantization_config": config}, tensors,
          lambda to: {k: bnb.functional.int8_vectorwise_dequant(q, s).to(to) for k, (q, s) in rows.items()})


def compressed():
    """One checkpoint with a group for each way that compressed-tensors stores weights."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme

    variants = []
    for bits in range(2, 9):
        for symmetric in True, False:
            variants.append(("pack-quantized", dict(num_bits=bits, type="int", symmetric=symmetric, strategy="group", group_size=random.choice([32, 64, 128]))))
            variants.append(("pack-quantized", dict(num_bits=bits, type="int", symmetric=symmetric, strategy="channel")))
    variants.append(("pack-quantized", dict(num_bits=4, type="int", symmetric=True, strategy="tensor")))
    for symmetric in True, False:
        for strategy in dict(strategy="tensor"), dict(strategy="channel"), dict(strategy="group", group_size=16):
            variants.append(("int-quantized", dict(num_bits=8, type="int", symmetric=symmetric, **strategy)))
    for strategy in dict(strategy="tensor"), dict(strategy="channel"), dict(strategy="block", block_structure=[128, 128]), dict(strategy="group", group_size=32):
        variants.append(("float-quantized", dict(num_bits=8, type="float", symmetric=True, **strategy)))
    variants.append(("nvfp4-pack-quantized", dict(num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16, scale_dtype=torch.float8_e4m3fn)))
    variants.append(("mxfp4-pack-quantized", dict(num_bits=4, type="float", symmetric=True, strategy="group", group_size=32, scale_dtype=torch.uint8)))
    variants.append(("mxfp8-quantized", dict(num_bits=8, type="float", symmetric=True, strategy="group", group_size=32, scale_dtype=torch.uint8)))
    groups, tensors, expected = {}, {}, {}
    for v, (form, kwargs) in enumerate(variants):
        args = QuantizationArgs(**kwargs)
        scheme = QuantizationScheme(targets=[f"re:model[.]v{v}[.].*"], weights=args, format=form)
        groups[f"group_{v}"] = scheme
        compressor = BaseCompressor.get_value_from_registry(form)
        for i in range(8):
            rows, cols = random.randint(1, 200), random.randint(1, 200)
            if args.group_size:
                cols = args.group_size * random.randint(1, 6)
            w = weight(rows, cols, random.choice([torch.bfloat16, torch.bfloat16, torch.float16, torch.float32]) if "fp4" not in form else torch.bfloat16)
            grid = {"tensor": (1,), "channel": (rows, 1), "block": (-(-rows // 128), -(-cols // 128))}.get(args.strategy, (rows, cols // (args.group_size or 1)))
            top = {"int": 2 ** (args.num_bits - 1) - 0.5, "float": 448 if args.num_bits == 8 else 6}[args.type]
            s = (torch.rand(grid) * 0.05 + 0.05) / top
            state = {"weight": w, "weight_scale": s.to(w.dtype)}
            if not args.symmetric:
                state["weight_zero_point"] = torch.randint(-(2 ** (args.num_bits - 1)), 2 ** (args.num_bits - 1), grid, dtype=torch.int8)
            if form.startswith("nvfp4"):
                state["weight_global_scale"] = torch.rand(1) * 1000 + 100
                state["weight_scale"] = (torch.rand(grid) * 400).to(torch.float8_e4m3fn).to(w.dtype)
            packed = compressor.compress(state, scheme)
            plain = compressor.decompress(dict(packed), scheme)["weight"]
            base = f"model.v{v}.{module(i)[6:]}"
            for name, t in packed.items():
                tensors[f"{base}.{name}"] = t
            expected[f"{base}.weight"] = plain
    config = QuantizationConfig(config_groups=groups, format="mixed-precision", quantization_status="compressed", ignore=["lm_head"]).to_dict()
    write("compressed-tensors", {"torch_dtype": "bfloat16", "quantization_config": json.loads(json.dumps(config, default=str))}, tensors,
          lambda to: {k: v.to(to) for k, v in expected.items()})


def mxfp4():
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    tensors, parts = {}, {}
    for i in range(100):
        experts, rows, groups = random.randint(1, 4), random.randint(1, 90), random.randint(1, 5)
        if i == 0:
            experts, rows, groups = 2, 1500, 7
        blocks = torch.randint(0, 256, (experts, rows, groups, 16), dtype=torch.uint8)
        s = torch.randint(0, 256, (experts, rows, groups), dtype=torch.uint8) if i % 2 else torch.randint(110, 140, (experts, rows, groups), dtype=torch.uint8)
        key = f"model.layers.{i}.mlp.experts.{random.choice(['gate_up_proj', 'down_proj'])}"
        tensors.update({f"{key}_blocks": blocks, f"{key}_scales": s, f"{key}_bias": torch.randn(experts, rows, dtype=torch.bfloat16)})
        parts[key] = (blocks, s)
    write("mxfp4", {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}}, tensors,
          lambda to: {k: convert_moe_packed_tensors(b, s, dtype=to) for k, (b, s) in parts.items()})


def modelopt():
    """ModelOpt needs a GPU's compiler to be imported: its formulas are written down here.

    NVFP4 as in modelopt/torch/quantization/qtensor/nvfp4_tensor.py, dequantize (0.47.0): the scale of a block times that
    of all in float32, times the value, then rounded. FP8 as vLLM computes it, in float32 with one rounding
    (vllm/model_executor/layers/quantization/modelopt.py)."""
    values = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
    tensors, parts = {}, {}
    for i in range(100):
        key = module(i)
        rows, cols = random.randint(1, 100), 16 * random.randint(1, 20)
        if i % 2:
            w, s, all = torch.randint(0, 256, (rows, cols // 2), dtype=torch.uint8), (torch.rand(rows, cols // 16) * 448).to(torch.float8_e4m3fn), torch.rand(()) * 1e-4
            tensors.update({f"{key}.weight": w, f"{key}.weight_scale": s, f"{key}.weight_scale_2": all, f"{key}.input_scale": torch.rand(())})
        else:
            w, s, all = f8(rows, cols), random.choice([torch.rand(()) * 0.01, torch.rand(1), torch.rand(rows), torch.rand(rows, 1)]), None
            tensors.update({f"{key}.weight": w, f"{key}.weight_scale": s, f"{key}.input_scale": torch.rand(()), f"{key}.k_scale": torch.rand(())})
        parts[f"{key}.weight"] = (w, s, all)

    def plain(to):
        expected = {}
        for key, (w, s, all) in parts.items():
            if all is None:
                expected[key] = (w.float() * (s[:, None] if s.ndim == 1 and len(s) > 1 else s)).to(to)
                continue
            codes = torch.stack([w & 15, w >> 4], -1).reshape(w.shape[0], -1)
            expected[key] = (values[codes.long()].view(w.shape[0], -1, 16) * (s.float() * all).unsqueeze(-1)).reshape(codes.shape).to(to)
        return expected

    write("modelopt", {"torch_dtype": "bfloat16", "quantization_config": {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}}, tensors, plain)


def torchao():
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import (Float8WeightOnlyConfig, Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, IntxWeightOnlyConfig,
                                      PerAxis, PerGroup, PerRow, PerTensor, quantize_)
    from torchao.core.config import config_to_dict

    configs = [Int8WeightOnlyConfig(version=2), Int8DynamicActivationInt8WeightConfig(version=2), Float8WeightOnlyConfig(),
               IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)), IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0))]
    for n, config in enumerate(configs):
        tensors = {}
        for i in range(25):
            layer = torch.nn.Linear(32 * random.randint(1, 8), random.randint(1, 200), bias=False).to(random.choice([torch.bfloat16, torch.float16, torch.float32]))
            quantize_(layer, config)
            tensors[f"{module(i)}.weight"] = layer.weight.data
        flat, metadata = flatten_tensor_state_dict(tensors)

        def plain(to):
            expected = {}
            for key, t in tensors.items():
                if type(t).__name__ == "IntxUnpackedToInt8Tensor":  # it has no argument for the dtype, which its formula has
                    from torchao.quantization.quant_primitives import dequantize_affine
                    expected[key] = dequantize_affine(t.qdata, t.block_size, t.scale, t.zero_point, torch.int8, -128, 127, output_dtype=to)
                else:
                    expected[key] = t.dequantize(to)
            return expected

        write(f"torchao-{n}-{type(config).__name__}", {"dtype": "bfloat16", "quantization_config": {"quant_method": "torchao", "quant_type": {"default": config_to_dict(config)}}},
              flat, plain, metadata)


def models():
    """Models of transformers, quantized and saved by it, and their state dicts as it dequantizes them. The one of fp8 is
    quantized here, in two lines, because a CPU cannot."""
    import shutil

    from transformers import BitsAndBytesConfig, FineGrainedFP8Config, LlamaConfig, LlamaForCausalLM

    def save(name, state):
        save_file({key: t.contiguous().clone() for key, t in state.items()}, os.path.join(OUT, f"{name}.expected"))

    sizes = LlamaConfig(vocab_size=90, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    plain = os.path.join(OUT, "plain")
    LlamaForCausalLM(sizes).to(torch.bfloat16).save_pretrained(plain)
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16)
    model = LlamaForCausalLM.from_pretrained(plain, quantization_config=config, dtype=torch.bfloat16, device_map="cpu")
    model.save_pretrained(os.path.join(OUT, "model-bnb"))
    save("model-bnb", model.dequantize(torch.bfloat16).state_dict())

    folder = os.path.join(OUT, "model-fp8")
    shutil.copytree(plain, folder)
    tensors = load_file(os.path.join(plain, "model.safetensors"))
    for key in [key for key in tensors if "_proj" in key]:
        blocks = tensors[key].float().unflatten(0, (-1, 64)).unflatten(2, (-1, 128))
        s = blocks.abs().amax((1, 3), keepdim=True) / 448
        tensors[key], tensors[f"{key}_scale_inv"] = (blocks / s).flatten(2).flatten(0, 1).to(torch.float8_e4m3fn), s[:, 0, :, 0].contiguous()
    save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    with open(os.path.join(folder, "config.json"), "r+") as f:
        text = {**json.load(f), "quantization_config": {"quant_method": "fp8", "weight_block_size": [64, 128], "activation_scheme": "dynamic"}}
        f.seek(0)
        json.dump(text, f, indent=1)
    config = FineGrainedFP8Config(weight_block_size=(64, 128), dequantize=True)
    save("model-fp8", LlamaForCausalLM.from_pretrained(folder, quantization_config=config, dtype=torch.bfloat16).state_dict())


for make in [bitsandbytes, compressed, fp8, mxfp4, modelopt, torchao, awq, gptq, models]:
    if len(sys.argv) < 3 or make.__name__ in sys.argv[2:]:
        make()
with open(os.path.join(OUT, "written.json"), "w") as f:  # libraries print to stdout when they are imported
    json.dump(written, f)
