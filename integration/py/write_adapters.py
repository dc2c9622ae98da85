"""Writes small models, adapters of them, and the models that PEFT's merge_and_unload makes.

    write_adapters.py DIR

Prints what it wrote as JSON: a list of cases, each with the files of the base, the adapter
and the merged weights, and how far the latter may be from those that wfs makes.
"""

import json
import math
import os
import sys
import warnings

import peft
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig
from safetensors.torch import load_file, save_file
from torch import nn

warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class Layers(nn.Module):
    """Linear layers with and without a bias, one of them square, and a head."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(120, 96)
        self.blocks = nn.ModuleList([self.block() for _ in range(3)])
        self.norm = nn.LayerNorm(96)
        self.head = nn.Linear(96, 120, bias=False)

    def block(self):
        return nn.ModuleDict({"q": nn.Linear(96, 96), "up": nn.Linear(96, 272, bias=False), "down": nn.Linear(272, 96)})

    def forward(self, x):
        x = self.embed(x)
        for b in self.blocks:
            x = x + b["down"](b["up"](b["q"](x)))
        return self.head(self.norm(x))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(24, 40, 3)
        self.point = nn.Conv2d(40, 48, 1)
        self.wide = nn.Conv2d(48, 32, (5, 3))
        self.line = nn.Conv1d(32, 40, 3)
        self.pointline = nn.Conv1d(40, 24, 1)
        self.solid = nn.Conv3d(24, 24, 2)
        self.fc = nn.Linear(24, 56)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(64, 4)
        self.fc = nn.Linear(64, 48)


class Experts(nn.Module):
    """Experts as parameters: (experts, out, in), or with is_transposed (experts, in, out)."""

    def __init__(self, transposed, hidden=48, inner=40):
        super().__init__()
        up, down = (6, 2 * inner, hidden), (6, hidden, inner)
        if transposed:
            up, down = (6, hidden, 2 * inner), (6, inner, hidden)
            self.is_transposed = True
        self.gate_up_proj = nn.Parameter(torch.randn(up) * 0.05)
        self.down_proj = nn.Parameter(torch.randn(down) * 0.05)


class MoE(nn.Module):
    def __init__(self, transposed, **sizes):
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleDict({"experts": Experts(transposed, **sizes), "router": nn.Linear(48, 6)}) for _ in range(2)])


def llama(tied=False, **more):
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(
        hidden_size=64, intermediate_size=144, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=128, tie_word_embeddings=tied, **more))


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=128, n_positions=32))


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, vocab_size=128, num_labels=3))


def lora(**options):
    options.setdefault("init_lora_weights", False)
    return LoraConfig(**options)


def disturb(model, seed):
    """Makes every number that an adapter has another one: a fresh adapter does nothing."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        trained = any(part in name for part in ("lora_", "hada_", "lokr_", "modules_to_save", "trainable_tokens_delta"))
        if trained or (name.endswith("bias") and p.requires_grad):
            noise = torch.randn(p.shape, generator=g)
            if "magnitude" in name:
                p.data = (p.data.float() * (1 + 0.1 * noise)).to(p.dtype)
            else:
                p.data = (p.data.float() + 0.05 * noise).to(p.dtype)


def state(model):
    """The state dict, each storage once, as save_pretrained writes it."""
    seen, out = set(), {}
    for key, t in model.state_dict().items():
        if t.data_ptr() not in seen or t.numel() == 0:
            seen.add(t.data_ptr())
            out[key] = t.detach().clone().contiguous()
    return out


class Writer:
    def __init__(self, root):
        self.root, self.cases = root, []

    def path(self, name, file):
        os.makedirs(os.path.join(self.root, name), exist_ok=True)
        return os.path.join(self.root, name, file)

    def case(self, name, make, config, dtype="f32", saved=None, rank=16, ulps=0, keep=None, strip="", small=False, weight=1.0, edit=None):
        """Trains an adapter of a model that make makes, and merges it anew.

        saved is the dtype that the adapter's file has, ulps how far the result may be, small
        says that factors are, keep is a filter of the base's keys, strip a prefix that its file lacks."""
        torch.manual_seed(len(self.cases))
        base = make().to(DTYPES[dtype]).eval()
        weights = {k.removeprefix(strip): v for k, v in state(base).items() if keep is None or keep(k)}
        save_file(weights, self.path(name, "base.safetensors"), {"format": "pt"})
        original = {k: v.clone() for k, v in base.state_dict().items()}
        model = peft.get_peft_model(base, config)
        disturb(model, len(self.cases))
        adapter = os.path.join(self.root, name, "adapter")
        model.save_pretrained(adapter)
        file = os.path.join(adapter, "adapter_model.safetensors")
        if saved or edit:
            tensors = load_file(file)
            if saved:
                tensors = {k: v.to(DTYPES[saved]) for k, v in tensors.items()}
            if edit:
                edit(tensors, adapter)
            save_file(tensors, file, {"format": "pt"})

        fresh = make().to(DTYPES[dtype]).eval()
        fresh.load_state_dict(original)
        merged = peft.PeftModel.from_pretrained(fresh, adapter)
        if weight != 1:
            for m in merged.modules():
                if hasattr(m, "scale_layer"):
                    m.scale_layer(weight)
        merged = state(merged.merge_and_unload())
        merged = {k.removeprefix(strip): v for k, v in merged.items() if keep is None or keep(k)}
        assert merged.keys() == weights.keys(), (name, merged.keys() ^ weights.keys())
        changed = sum(not torch.equal(merged[k], weights[k]) for k in weights)
        assert changed, name
        save_file(merged, self.path(name, "merged.safetensors"))
        bound = 0.0
        if rank > 192 or ulps:
            bound = self.bound(file, rank)
        if small: # a matrix product of less than 12 columns, which MKL sums in another order
            bound = max((merged[k] - weights[k]).abs().max().item() for k in weights) * 2.0**-20
        self.cases.append({"name": name, "base": self.path(name, "base.safetensors"), "adapter": file, "config": os.path.join(adapter, "adapter_config.json"),
                           "merged": self.path(name, "merged.safetensors"), "ulps": ulps or int(rank > 192 or small), "bound": bound, "changed": changed, "weight": weight})

    def bound(self, file, rank):
        """r · 2⁻²⁴ · Σ|B||A| · s, for a scale of at most 4."""
        tensors, most = load_file(file), 0.0
        for k, a in tensors.items():
            b = tensors.get(k.replace("lora_A", "lora_B"))
            if "lora_A" in k and b is not None and b.shape[1] == a.shape[0]:
                most = max(most, (b.flatten(1).abs().float() @ a.flatten(1).abs().float()).max().item())
        return rank * 2.0**-24 * most * 4


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]


def write(w):
    for dtype in DTYPES:
        for r in (2, 3, 8, 16, 33, 64, 192):
            w.case(f"linear-{dtype}-r{r}", Layers, lora(r=r, lora_alpha=r + 7, target_modules=["q", "up", "down"]), dtype, rank=r)
        for r in (193, 256):
            w.case(f"linear-{dtype}-r{r}", Layers, lora(r=r, lora_alpha=r, target_modules=["q", "up", "down"]), dtype, rank=r)
        for saved in ("f16", "bf16"):
            w.case(f"saved-{dtype}-{saved}", Layers, lora(r=16, target_modules=["q", "up"]), dtype, saved=saved)
        w.case(f"rslora-{dtype}", llama, lora(r=8, lora_alpha=13, use_rslora=True, target_modules=ATTENTION), dtype)
        w.case(f"patterns-{dtype}", llama, lora(
            r=8, lora_alpha=16, target_modules=ATTENTION + ["down_proj"],
            rank_pattern={"layers.1.self_attn.q_proj": 4, r".*\.0\..*(q|k)_proj": 12, "k_proj": 6, "down_proj": 24},
            alpha_pattern={"k_proj": 3, r"model\.layers\.\d+\.self_attn\.[kv]_proj": 5, "down_proj": 7}), dtype)
        w.case(f"save-{dtype}", llama, lora(r=8, target_modules=ATTENTION, modules_to_save=["lm_head", "norm"]), dtype)
        for bias in ("all", "lora_only"):
            w.case(f"bias-{bias}-{dtype}", Layers, lora(r=8, target_modules=["q", "up"], bias=bias), dtype)
        w.case(f"lorabias-{dtype}", Layers, lora(r=8, lora_alpha=20, target_modules=["q", "down"], lora_bias=True), dtype)
        w.case(f"dora-{dtype}", Layers, lora(r=8, target_modules=["q", "up", "down"], use_dora=True), dtype, ulps=4 if dtype == "f32" else 1)
        w.case(f"conv1d-{dtype}", gpt2, lora(r=8, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True), dtype)
        w.case(f"dora-conv1d-{dtype}", gpt2, lora(r=8, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True, use_dora=True), dtype, ulps=4 if dtype == "f32" else 1)
        w.case(f"embedding-{dtype}", llama, lora(r=8, lora_alpha=11, target_modules=["embed_tokens", "q_proj"]), dtype)
        w.case(f"embedding-dora-{dtype}", Layers, lora(r=8, target_modules=["embed", "q"], use_dora=True), dtype, ulps=4 if dtype == "f32" else 1)
        w.case(f"tied-{dtype}", lambda: llama(tied=True), lora(r=8, target_modules=["embed_tokens", "v_proj"]), dtype)
        w.case(f"tokens-{dtype}", llama, lora(r=8, target_modules=["q_proj"], trainable_token_indices=[5, 99, 0, 127]), dtype)
        w.case(f"tokens-named-{dtype}", llama, lora(r=8, target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [17, 3, 4]}), dtype)
        w.case(f"convolutions-{dtype}", Convolutions, lora(r=8, lora_alpha=9, target_modules=["first", "point", "wide", "line", "pointline", "solid", "fc"]), dtype)
        w.case(f"convolutions-dora-{dtype}", Convolutions, lora(r=8, target_modules=["first", "point", "line", "solid"], use_dora=True), dtype, ulps=4 if dtype == "f32" else 1)
        w.case(f"attention-{dtype}", Attention, lora(r=8, lora_alpha=9, target_modules=["attn", "fc"]), dtype)
        for transposed in (False, True):
            both = ["experts.gate_up_proj", "experts.down_proj"]
            w.case(f"experts-{transposed}-{dtype}", lambda: MoE(transposed), lora(r=4, lora_alpha=9, target_modules=["router"], target_parameters=both), dtype)
            w.case(f"experts-square-{transposed}-{dtype}", lambda: MoE(transposed, hidden=48, inner=48), lora(r=4, lora_alpha=9, target_modules=[], target_parameters=both), dtype)
        w.case(f"parameter-{dtype}", Layers, lora(r=4, lora_alpha=9, target_modules=[], target_parameters=["q.weight", "up.weight"], rank_pattern={"blocks.1.q.weight": 6}), dtype)
        w.case(f"loha-{dtype}", Layers, LoHaConfig(r=6, alpha=5, target_modules=["q", "up", "down"], init_weights=False), dtype)
        w.case(f"lokr-{dtype}", Layers, LoKrConfig(r=6, alpha=5, target_modules=["q", "up", "down"], init_weights=False), dtype)
        w.case(f"lokr-both-{dtype}", Layers, LoKrConfig(r=2, alpha=5, target_modules=["q", "up", "down"], decompose_both=True, decompose_factor=8, init_weights=False), dtype, small=True)
        w.case(f"lokr-whole-{dtype}", Layers, LoKrConfig(r=60, alpha=5, target_modules=["q", "up", "down"], init_weights=False), dtype)
        for cp in (False, True):
            w.case(f"loha-conv-{cp}-{dtype}", Convolutions, LoHaConfig(r=4, alpha=5, target_modules=["first", "point", "wide", "line", "pointline"], use_effective_conv2d=cp, init_weights=False), dtype)
            w.case(f"lokr-conv-{cp}-{dtype}", Convolutions, LoKrConfig(r=2, alpha=5, target_modules=["first", "point", "wide", "line", "pointline"], use_effective_conv2d=cp, decompose_factor=4, init_weights=False), dtype, small=True)
        w.case(f"weight-{dtype}", llama, lora(r=8, lora_alpha=9, target_modules=ATTENTION), dtype, weight=0.7)
        w.case(f"headless-{dtype}", bert, lora(r=8, target_modules=["query", "value", "dense"], task_type=None), dtype,
               keep=lambda k: k.startswith("bert."), strip="bert.", edit=lambda tensors, _: [tensors.pop(k) for k in list(tensors) if ".bert." not in k])


if __name__ == "__main__":
    w = Writer(sys.argv[1])
    write(w)
    json.dump(w.cases, sys.stdout)
