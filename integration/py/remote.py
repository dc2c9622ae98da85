"""Writes models for servers, and checks what comes from them with the real clients."""
import hashlib
import json
import os
import sys


def write(directory):
    import torch
    from safetensors.torch import save_file
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    torch.save({f"layers.{i}.weight": torch.randn(32, 32) for i in range(1000)}, f"{directory}/many.pt")
    large = {f"layers.{i}.weight": torch.randn(1024, 1024) for i in range(12)}
    torch.save(large, f"{directory}/large.pt")
    save_file(large, f"{directory}/large.safetensors")
    os.chmod(f"{directory}/large.safetensors", 0o644)
    repository = f"{directory}/model"
    os.mkdir(repository)
    model = GPT2LMHeadModel(GPT2Config(n_layer=6, n_embd=512, n_head=8, vocab_size=4096, n_positions=256)).eval()
    model.config.save_pretrained(repository)
    state = {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}
    torch.save(state, f"{repository}/pytorch_model.bin")
    files = {}
    for name in sorted(os.listdir(repository)):
        with open(f"{repository}/{name}", "rb") as f:
            data = f.read()
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "sha1": git}
    return files


def download(repository):
    """Checks that the Hub is one to its own client."""
    from huggingface_hub import snapshot_download

    path = snapshot_download(repository)
    return {name: hashlib.sha256(open(f"{path}/{name}", "rb").read()).hexdigest() for name in sorted(os.listdir(path))}


def load(mount, directory):
    """Loads a mount, and compares it with what was written."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(mount)
    want = torch.load(f"{directory}/model/pytorch_model.bin")
    have = model.state_dict()
    return [k for k, v in want.items() if not torch.equal(v, have[k])]


print(json.dumps({"write": write, "download": download, "load": load}[sys.argv[1]](*sys.argv[2:])))
