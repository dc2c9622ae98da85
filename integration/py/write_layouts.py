"""Writes directories laid out as diffusers, sentence-transformers and PEFT did, and a list of them to stdout.

Each case says which view in a mount stands for which weight file.
"""

import json
import pathlib
import sys

import torch

out = pathlib.Path(sys.argv[1])


def save(path, **tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)


def write(name, files, texts, **options):
    """files: {weight file: the view that replaces it}."""
    for position, file in enumerate(files):
        save(out / name / file, weight=torch.randn(position + 2, 3), bias=torch.randn(3).half())
    for text in texts:
        path = out / name / text
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"file": text}))
    return {"name": name, "source": str(out / name), "views": {view: file for file, view in files.items()}, **options}


def main():
    torch.manual_seed(2)
    unet = "unet/diffusion_pytorch_model"
    cases = [
        write("diffusers", {
            f"{unet}.bin": f"{unet}.safetensors",
            "vae/diffusion_pytorch_model.bin": "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/pytorch_model.bin": "text_encoder/model.safetensors",
        }, ["model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
            "scheduler/scheduler_config.json", "tokenizer/merges.txt"]),
        write("sentence-transformers", {
            "pytorch_model.bin": "model.safetensors", "2_Dense/pytorch_model.bin": "2_Dense/model.safetensors",
        }, ["config.json", "modules.json", "1_Pooling/config.json", "2_Dense/config.json"]),
        write("peft", {"adapter_model.bin": "adapter_model.safetensors"}, ["adapter_config.json"]),
    ]
    json.dump(cases, sys.stdout)


main()
