"""Loads dequantized views of models with transformers, and compares their state dicts with those that it computed itself.

stdin: {name: [view, file of the state dict]}; stdout: {name: [what differs]}."""

import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM


def verify(view, expected):
    config = AutoConfig.from_pretrained(view)
    if hasattr(config, "quantization_config") or config.dtype != torch.bfloat16:
        yield f"config.json: {config}"
    model, info = AutoModelForCausalLM.from_pretrained(view, dtype="auto", output_loading_info=True)
    for kind, keys in info.items():
        if keys:
            yield f"{kind}: {keys}"
    want, got = load_file(expected), model.state_dict()
    if want.keys() != got.keys():
        yield f"keys: {want.keys() ^ got.keys()}"
    for key in want.keys() & got.keys():
        if want[key].dtype != got[key].dtype or not torch.equal(want[key], got[key]):
            yield f"{key}: {got[key].dtype} {got[key].flatten()[:3]}, want {want[key].dtype} {want[key].flatten()[:3]}"


json.dump({name: list(verify(*case)) for name, case in json.load(sys.stdin).items()}, sys.stdout)
