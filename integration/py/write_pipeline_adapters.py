"""Writes small diffusion pipelines, LoRAs of them as sd-scripts and diffusers name them, and
the merged weights.

    write_pipeline_adapters.py DIR

Prints a list of cases as write_adapters.py does. sd-scripts is on no package index; its
LoRAModule.merge_to (networks/lora.py, kohya-ss/sd-scripts 02298e3) is written here after its
order of operations. What diffusers merges is merged by diffusers.
"""

import json
import os
import sys
import warnings

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

warnings.filterwarnings("ignore")
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def text(projection=False):
    config = CLIPTextConfig(hidden_size=64, intermediate_size=96, num_attention_heads=4, num_hidden_layers=2, vocab_size=99, projection_dim=64)
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def sd1():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(32, 64, 64, 64), norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=64, attention_head_dim=4)
    return {"unet": unet, "text_encoder": text()}


def sdxl():
    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(32, 64, 64), norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2), use_linear_projection=True, cross_attention_dim=64, attention_head_dim=4,
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=112)
    return {"unet": unet, "text_encoder": text(), "text_encoder_2": text(projection=True)}


def pipeline(parts):
    scheduler = DDIMScheduler()
    if "text_encoder_2" in parts:
        return StableDiffusionXLPipeline(vae=None, tokenizer=None, tokenizer_2=None, scheduler=scheduler, **parts)
    return StableDiffusionPipeline(vae=None, tokenizer=None, scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False, **parts)


def original(path):
    """The name that the original UNet has for a layer of diffusers'."""
    p = path.split(".")
    inner = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    if p[0] in ("down_blocks", "up_blocks"):
        first = 3 * int(p[1]) + int(p[3]) + (p[0] == "down_blocks")
        side = "input_blocks" if p[0] == "down_blocks" else "output_blocks"
        if p[2] == "resnets":
            return f"{side}.{first}.0." + inner[p[4]]
        if p[2] == "attentions":
            return f"{side}.{first}.1." + ".".join(p[4:])
    if p[0] == "mid_block":
        if p[1] == "resnets":
            return f"middle_block.{2 * int(p[2])}." + inner[p[3]]
        return "middle_block.1." + ".".join(p[3:])
    return None


class Writer:
    def __init__(self, root):
        self.root, self.cases = root, []

    def save(self, name, parts, sub):
        directory = os.path.join(self.root, name, sub)
        for part, model in parts.items():
            model.save_pretrained(os.path.join(directory, part))
        with open(os.path.join(directory, "model_index.json"), "w") as f:
            json.dump({"_class_name": "StableDiffusionPipeline"}, f)
        return directory

    def add(self, name, base, file, parts, changed, ulps=0, bound=0.0, weight=1.0):
        self.cases.append({"name": name, "base": base, "adapter": file, "config": "", "merged": self.save(name, parts, "merged"), "ulps": ulps, "bound": bound, "weight": weight, "changed": changed})

    def kohya(self, name, make, dtype, saved, weight=1.0, convolutions=True, alphas=True, square=False):
        """As sd-scripts trains and merges it."""
        parts = {k: m.to(DTYPES[dtype]) for k, m in make().items()}
        base = self.save(name, parts, "base")
        g, tensors, changed = torch.Generator().manual_seed(len(self.cases)), {}, 0
        prefixes = {"unet": "lora_unet_", "text_encoder": "lora_te_" if "text_encoder_2" not in parts else "lora_te1_", "text_encoder_2": "lora_te2_"}
        for part, model in parts.items():
            for path, m in model.named_modules():
                linear, conv = isinstance(m, torch.nn.Linear), isinstance(m, torch.nn.Conv2d)
                if not linear and not (conv and convolutions):
                    continue
                rank = 4 + changed % 5
                down = torch.randn(rank, *m.weight.shape[1:], generator=g) * 0.1
                up = torch.randn(m.weight.shape[0], rank, *([1, 1] if conv else []), generator=g) * 0.1
                key = prefixes[part] + path.replace(".", "_")
                if "text" in part and "text_model" not in path and "projection" not in path:
                    key = prefixes[part] + "text_model_" + path.replace(".", "_")
                down, up = down.to(DTYPES[saved]), up.to(DTYPES[saved])
                tensors[key + ".lora_down.weight"], tensors[key + ".lora_up.weight"] = down, up
                alpha = None
                if alphas:
                    alpha = torch.tensor(0.0 if changed % 7 == 6 else 1.0 + changed % 3).to(DTYPES[saved])
                    tensors[key + ".alpha"] = alpha
                if square and linear:  # as if the layer were a convolution
                    tensors[key + ".lora_down.weight"], tensors[key + ".lora_up.weight"] = down[:, :, None, None], up[:, :, None, None]
                self.merge_to(m, down, up, alpha, rank, weight)
                changed += 1
        file = os.path.join(self.root, name, "lora.safetensors")
        save_file({k: v.contiguous() for k, v in tensors.items()}, file)
        # A convolution to 4 channels is a product of 4 rows, which MKL sums in another order.
        self.add(name, base, file, parts, changed, 1, 2e-8, weight)

    @staticmethod
    @torch.no_grad()
    def merge_to(m, down, up, alpha, rank, multiplier):
        """LoRAModule.merge_to"""
        alpha = None if alpha is None else alpha.float().numpy()
        scale = (rank if alpha is None or alpha == 0 else alpha) / rank
        weight, up, down = m.weight.float(), up.float(), down.float()
        if weight.dim() == 2:
            weight = weight + multiplier * (up @ down) * scale
        elif down.shape[2:4] == (1, 1):
            weight = weight + multiplier * (up.squeeze(3).squeeze(2) @ down.squeeze(3).squeeze(2)).unsqueeze(2).unsqueeze(3) * scale
        else:
            conved = torch.nn.functional.conv2d(down.permute(1, 0, 2, 3), up).permute(1, 0, 2, 3)
            weight = weight + multiplier * conved * scale
        m.weight.data = weight.to(m.weight.dtype)

    def merged_by_diffusers(self, name, make, parts, base, file, scale, ulps=0, bound=0.0):
        before = {k: {n: t.clone() for n, t in m.state_dict().items()} for k, m in parts.items()}
        pipe = pipeline(parts)
        pipe.load_lora_weights(file)
        components = [k for k in parts if getattr(parts[k], "peft_config", None)]
        pipe.fuse_lora(components, lora_scale=scale)
        pipe.unload_lora_weights()
        changed = sum(not torch.equal(t, before[k][n]) for k, m in parts.items() for n, t in m.state_dict().items())
        assert changed > 4, name
        self.add(name, base, file, parts, changed, ulps, bound, scale)

    def diffusers(self, name, make, scale=1.0, dora=False):
        """As diffusers trains, writes and merges it."""
        parts = make()
        base = self.save(name, parts, "base")
        layers, configs = {}, {}
        for part, model in make().items():
            if dora and part != "unet":  # diffusers 0.42 does not load the lengths of a text encoder
                continue
            config = LoraConfig(r=4, lora_alpha=7, init_lora_weights=False, use_dora=dora,
                                target_modules=["q_proj", "v_proj"] if "text" in part else ["to_q", "to_k", "to_v", "to_out.0", "conv1", "proj_in"],
                                rank_pattern={} if "text" in part else {"attn2.to_k": 6}, alpha_pattern={} if "text" in part else {"attn2.to_k": 5, "conv1": 3})
            model.add_adapter(config)
            layers[part], configs[part] = get_peft_model_state_dict(model), config.to_dict()
        arguments = {}
        for part in layers:
            arguments[part + "_lora_layers"] = layers[part]
            arguments[part + "_lora_adapter_metadata"] = configs[part]
        directory = os.path.join(self.root, name)
        kind = StableDiffusionXLPipeline if "text_encoder_2" in parts else StableDiffusionPipeline
        kind.save_lora_weights(directory, weight_name="lora.safetensors", **arguments)
        # conv1 of the first resnets and such have products that MKL sums in another order.
        self.merged_by_diffusers(name, make, parts, base, os.path.join(directory, "lora.safetensors"), scale, 4 if dora else 1, 3e-8)

    def sgm(self, name, make):
        """A LoRA with the names of the original UNet, for diffusers' directory."""
        parts = make()
        base = self.save(name, parts, "base")
        g, tensors = torch.Generator().manual_seed(7), {}
        for path, m in parts["unet"].named_modules():
            other = original(path) if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d)) else None
            if other is None:
                continue
            kernel = m.weight.shape[1:]
            key = "lora_unet_" + other.replace(".", "_")
            tensors[key + ".lora_down.weight"] = torch.randn(4, *kernel, generator=g) * 0.1
            tensors[key + ".lora_up.weight"] = torch.randn(m.weight.shape[0], 4, *([1] * (len(kernel) - 1)), generator=g) * 0.1
            tensors[key + ".alpha"] = torch.tensor(2.0)
        file = os.path.join(self.root, name, "lora.safetensors")
        save_file(tensors, file)
        self.merged_by_diffusers(name, make, parts, base, file, 1.0)


if __name__ == "__main__":
    w = Writer(sys.argv[1])
    for dtype in DTYPES:
        w.kohya(f"kohya-sd1-{dtype}", sd1, dtype, "f16")
    w.kohya("kohya-sdxl", sdxl, "f32", "bf16", convolutions=False)
    w.kohya("kohya-weight", sd1, "f32", "f32", weight=0.7)
    w.kohya("kohya-no-alpha", sd1, "bf16", "f32", alphas=False)
    w.kohya("kohya-square", sd1, "f32", "f16", square=True)
    w.diffusers("diffusers-sd1", sd1)
    w.diffusers("diffusers-sdxl", sdxl, scale=0.6)
    w.diffusers("diffusers-dora", sd1, dora=True)
    w.sgm("sgm-sdxl", sdxl)
    json.dump(w.cases, sys.stdout)
