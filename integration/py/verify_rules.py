"""The examples of the manual (formats/rules/examples) against the tools that do the same.

write DIR: the sources of each, below DIR.
check DIR: stdout: {example: [what differs between DIR/out/EXAMPLE and the tool's result]}.
"""

import json
import pathlib
import re
import sys
import types

import peft
import safetensors.torch
import torch
import transformers
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
from torch.testing._internal.distributed.fake_pg import FakeStore
from transformers.core_model_loading import PermuteForRope
from transformers.distributed.tensor_parallel import ALL_PARALLEL_STYLES
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXAttention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import bits

LLAMA = dict(
    hidden_size=64, intermediate_size=96, num_hidden_layers=12, num_attention_heads=4, num_key_value_heads=2, vocab_size=128, tie_word_embeddings=False)
EXPERTS = dict(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4, vocab_size=64, num_experts=12,
    num_experts_per_tok=2)
NEOX = dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=64)


def random(*shape, dtype=torch.float32):
    return (torch.randn(*shape) * 0.05).to(dtype)


def meta_llama(config):
    """A state dict with the names and shapes of consolidated.00.pth."""
    d, hidden, kv = config.hidden_size, config.intermediate_size, config.hidden_size // config.num_attention_heads * config.num_key_value_heads
    state = {"tok_embeddings.weight": (config.vocab_size, d), "norm.weight": (d,), "output.weight": (config.vocab_size, d), "rope.freqs": (8,)}
    for i in range(config.num_hidden_layers):
        state |= {f"layers.{i}.{key}.weight": shape for key, shape in {
            "attention.wq": (d, d), "attention.wk": (kv, d), "attention.wv": (kv, d), "attention.wo": (d, d), "feed_forward.w1": (hidden, d),
            "feed_forward.w2": (d, hidden), "feed_forward.w3": (hidden, d), "attention_norm": (d,), "ffn_norm": (d,)}.items()}
    return {key: random(*shape, dtype=torch.bfloat16) for key, shape in state.items()}


def adapter(base, where, rank, targets):
    model = peft.get_peft_model(base, peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, init_lora_weights=False))
    model.save_pretrained(where)
    return model.unload()


def write(where):
    torch.manual_seed(7)
    wrapped = {f"module._orig_mod.{key}": random(5, 8) for key in ["fc.weight", "norm1.weight", "module.x"]}
    wrapped |= {"optimizer.exp_avg": random(3), "ema.fc.weight": random(5, 8), "module._orig_mod.steps": torch.tensor(3)}
    safetensors.torch.save_file(wrapped, where / "wrapped.safetensors")
    safetensors.torch.save_file({"x": extremes(), "ids": torch.arange(4)}, where / "extremes.safetensors")
    transformers.OlmoeForCausalLM(transformers.OlmoeConfig(**EXPERTS)).to(torch.bfloat16).save_pretrained(where / "experts")
    llama = transformers.LlamaConfig(**LLAMA)
    (where / "meta").mkdir()
    torch.save(meta_llama(llama), where / "meta" / "consolidated.00.pth")
    llama.architectures = ["LlamaForCausalLM"]
    llama.save_pretrained(where / "meta")
    transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**NEOX)).apply(wild).save_pretrained(where / "neox")
    for name in "ABC":
        model = transformers.LlamaForCausalLM(llama).to(torch.bfloat16)
        model.save_pretrained(where / name)
    for name, rank, targets in [("lora-a", 8, ["q_proj", "down_proj"]), ("lora-b", 5, ["q_proj", "k_proj"])]:
        adapter(transformers.AutoModelForCausalLM.from_pretrained(where / "A"), where / name, rank, targets)


def extremes():
    """Float32 around every bound of the dtypes that wfs casts to, and what is no number."""
    bounds = torch.tensor([
        65504.0, 65520, 448, 464, 480, 57344, 61440, 3.3895314e38, 3.396e38, 3.3961775e38, 3.4e38,
        6.1e-5, 5.96e-8, 2.98e-8, 2**-9, 2**-10, 2**-16, 2**-17, 2**-133, 1e-45, 1.0])
    near = torch.cat([bounds, torch.nextafter(bounds, torch.tensor(0.0)), torch.nextafter(bounds, torch.tensor(torch.inf))])
    return torch.cat([near, -near, torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0, -0.0]), torch.logspace(-44, 38, 3000)])


def wild(module):
    """Gives biases values, which are zeros otherwise."""
    for p in module.parameters(recurse=False):
        torch.nn.init.normal_(p, std=0.05)


def prefixes(where):
    state = safetensors.torch.load_file(where / "wrapped.safetensors")
    want = {}
    for key, value in state.items():
        while key.startswith(("module.", "_orig_mod.")):
            key = key.removeprefix("module.").removeprefix("_orig_mod.")
        if not key.startswith(("optimizer.", "ema.")):
            want[key] = value.bfloat16() if value.is_floating_point() and "norm" not in key else value
    return want


def experts(where):
    """What transformers' converters (MergeModulelist, Concatenate) make of the file when it is loaded."""
    return transformers.AutoModelForCausalLM.from_pretrained(where / "experts", dtype="auto").state_dict()


def llama(where):
    config = transformers.LlamaConfig(**LLAMA)
    state = torch.load(where / "meta" / "consolidated.00.pth")
    rope, names = PermuteForRope(), {
        "attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj", "attention.wo": "self_attn.o_proj",
        "feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj", "feed_forward.w3": "mlp.up_proj",
        "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    want = {"model.embed_tokens.weight": state["tok_embeddings.weight"], "model.norm.weight": state["norm.weight"], "lm_head.weight": state["output.weight"]}
    for i in range(config.num_hidden_layers):
        for name, theirs in names.items():
            value = state[f"layers.{i}.{name}.weight"]
            if name in ["attention.wq", "attention.wk"]:
                heads = config.num_attention_heads if name == "attention.wq" else config.num_key_value_heads
                value = rope._permute_for_rope(value, types.SimpleNamespace(num_attention_heads=heads))
            want[f"model.layers.{i}.{theirs}.weight"] = value
    loaded = transformers.LlamaForCausalLM(config)
    loaded.load_state_dict(want)  # complete, and of the right shapes
    return want


def neox_differs(where, got):
    """What the view's projections make of random states, against what GPT-NeoX's attention makes of its fused one."""
    model = transformers.AutoModelForCausalLM.from_pretrained(where / "neox", attn_implementation="capture")
    states = random(1, 3, NEOX["hidden_size"])
    for i, layer in enumerate(model.gpt_neox.layers):
        attention = layer.attention
        assert isinstance(attention, GPTNeoXAttention)
        rotary = (torch.ones(1, 3, attention.head_size), torch.zeros(1, 3, attention.head_size))  # turns nothing
        attention(states, attention_mask=None, position_embeddings=rotary)
        for name in "qkv":
            key = f"gpt_neox.layers.{i}.attention.{name}_proj"
            y = torch.nn.functional.linear(states, got[key + ".weight"], got[key + ".bias"])
            mine = y.view(1, 3, NEOX["num_attention_heads"], -1).transpose(1, 2)
            if not torch.allclose(mine, CAPTURED[name], rtol=0, atol=1e-6):
                yield f"{key} differs"
    plain = {k: v for k, v in safetensors.torch.load_file(where / "neox" / "model.safetensors").items() if ".query_key_value." not in k}
    yield from differs({k: v for k, v in got.items() if "_proj." not in k}, plain)


def rank(where):
    """What transformers' tensor parallelism gives rank 1 of 2, by its plan and layers."""
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=1, world_size=2)  # which never talks
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
    loaded = transformers.AutoModelForCausalLM.from_pretrained(where / "A", dtype="auto")
    want = dict(loaded.state_dict())
    for name, module in loaded.named_modules():
        if style := loaded.tp_plan.get(re.sub(r"\.\d+\.", ".*.", name)):
            ALL_PARALLEL_STYLES[style].shard_param(module, "weight", mesh)
            want[name + ".weight"] = module.weight.to_local()
    return want


CAPTURED = {}


def capture(module, q, k, v, *args, **kwargs):
    CAPTURED.update(q=q, k=k, v=v)
    return v.transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register("capture", capture)


def mergekit(where, name, **config):
    out = where / f"mergekit-{name}"
    run_merge(MergeConfiguration.model_validate(config), str(out), MergeOptions(copy_tokenizer=False, quiet=True))
    return safetensors.torch.load_file(out / "model.safetensors")


def model(where, name, **parameters):
    return {"model": str(where / name), "parameters": parameters}


def merged_by_peft(where):
    base = transformers.AutoModelForCausalLM.from_pretrained(where / "A", dtype="auto")
    for name, weight in [("lora-a", 1.0), ("lora-b", 0.5)]:
        loaded = peft.PeftModel.from_pretrained(base, where / name)
        for module in loaded.modules():
            if isinstance(module, peft.tuners.lora.LoraLayer):
                module.scale_layer(weight)
        base = loaded.merge_and_unload()
    return base.state_dict()


def differs(got, want):
    if got.keys() != want.keys():
        yield f"keys {sorted(got.keys() ^ want.keys())[:6]} are on one side only"
        return
    for key, tensor in want.items():
        if got[key].dtype != tensor.dtype or got[key].shape != tensor.shape:
            yield f"{key} is {got[key].dtype} {tuple(got[key].shape)}, not {tensor.dtype} {tuple(tensor.shape)}"
        elif bits.tensor_bytes(got[key]) != bits.tensor_bytes(tensor):
            off = (got[key] != tensor).sum().item()
            yield f"{key} differs in {off} of {tensor.numel()} elements"


DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f8_e4m3": torch.float8_e4m3fn, "f8_e5m2": torch.float8_e5m2}


def miscounted(where):
    """What wfs view --check says of extremes.safetensors, against what torch's .to() does to it."""
    x = extremes()
    for name, dtype in DTYPES.items():
        y = x.to(dtype).float()
        large = x.isfinite() & ~y.isfinite()
        if name == "f8_e4m3":  # saturates: what is more than half a step above the largest number
            large = x.isfinite() & (x.abs() > 464)
        want = {
            "key": "x", "from": "F32", "to": name.upper(), "elements": x.numel(), "overflow": large.sum().item(), "infinite": x.isinf().sum().item(),
            "nan": x.isnan().sum().item(), "underflow": ((y == 0) & (x != 0)).sum().item()}
        got = json.loads((where / "out" / f"{name}.json").read_text())["casts"]
        if got != [want]:
            yield f"{got}, not {want}"


def check(where):
    out = {path.stem: safetensors.torch.load_file(path) for path in (where / "out").glob("*.safetensors")}
    linear = mergekit(
        where, "linear", merge_method="linear", models=[model(where, "A", weight=0.3), model(where, "B", weight=0.7)], parameters={"normalize": False},
        dtype="bfloat16")
    task = mergekit(
        where, "task", merge_method="task_arithmetic", base_model=str(where / "C"), models=[model(where, "B", weight=0.8)],
        parameters={"normalize": False}, dtype="float32", out_dtype="bfloat16")
    problems = {
        "prefixes": differs(out["prefixes"], prefixes(where)), "experts": differs(out["experts"], experts(where)), "llama": differs(out["llama"], llama(where)),
        "neox": neox_differs(where, out["neox"]), "rank": differs(out["rank"], rank(where)),
        "sum": differs(out["sum"], linear), "difference": differs(out["difference"], task),
        "adapters": differs(out["adapters"], merged_by_peft(where)), "flags": differs(out["flags"], out["adapters"]),
        "counts": miscounted(where),
    }
    return {name: list(lines) for name, lines in problems.items()}


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "write":
        write(directory)
    else:
        real, sys.stdout = sys.stdout, sys.stderr  # mergekit prints
        json.dump(check(directory), real)
