"""Writes model directories with transformers, diffusers and peft, and a list of them to stdout.

Each case has what a client should find: {view: its tensors} in "expected", a .safetensors file of the whole.
"""

import json
import pathlib
import shutil
import sys

import diffusers
import peft
import safetensors.torch
import torch
import transformers

out = pathlib.Path(sys.argv[1])
cases = []


def case(name, kind, state, directory=None, **options):
    expected = out / f"{name}.expected"
    safetensors.torch.save_file({key: tensor.detach().contiguous().clone() for key, tensor in state.items()}, expected)
    cases.append({"name": name, "kind": kind, "source": str(directory or out / name), "expected": str(expected), **options})


def sharded_bin(directory, model, count):
    """As save_pretrained(safe_serialization=False) wrote it before transformers 5."""
    directory.mkdir()
    model.config.save_pretrained(directory)
    weight_map = {}
    items = list(model.state_dict().items())
    for number in range(count):
        part = dict(items[number::count])
        name = f"pytorch_model-{number + 1:05}-of-{count:05}.bin"
        torch.save(part, directory / name)
        weight_map.update(dict.fromkeys(part, name))
    (directory / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {"total_size": 0}, "weight_map": weight_map}))


def mixed(directory, model):
    """Every form of the weights side by side, and what else lies in a clone of a repository."""
    model.save_pretrained(directory)
    torch.save(model.state_dict(), directory / "pytorch_model.bin")
    model.save_pretrained(directory, variant="fp16")
    (directory / "original").mkdir()
    torch.save(model.state_dict(), directory / "original" / "consolidated.00.pth")
    (directory / "original" / "params.json").write_text("{}")
    shutil.copy(directory / "model.safetensors", directory / "consolidated.safetensors")
    (directory / "model-q4.gguf").write_bytes(b"GGUF")
    (directory / "onnx").mkdir()
    (directory / "onnx" / "model.onnx").write_bytes(b"\x08")
    (directory / ".git").mkdir()
    (directory / ".git" / "model.safetensors").write_bytes(b"")


def hub_cache(directory, model):
    """As huggingface_hub keeps a download: links from a snapshot to blobs."""
    plain = out / "plain"
    model.save_pretrained(plain, max_shard_size="20KB")
    snapshot = directory / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (directory / "blobs").mkdir()
    for number, file in enumerate(sorted(plain.iterdir())):
        blob = directory / "blobs" / f"{number:064x}"
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


def main():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=128, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, tie_word_embeddings=False)).to(torch.bfloat16)
    state = llama.state_dict()
    sharded_bin(out / "sharded-bin", llama, 3)
    case("sharded-bin", "transformers", state)
    llama.save_pretrained(out / "sharded-safetensors", max_shard_size="20KB")
    case("sharded-safetensors", "transformers", state)
    llama.save_pretrained(out / "variant", variant="fp16")
    case("variant", "transformers", state)
    llama.save_pretrained(out / "variant-sharded", variant="fp16", max_shard_size="20KB")
    case("variant-sharded", "transformers", state)
    mixed(out / "mixed", llama)
    case("mixed", "transformers", state)
    case("hub-cache", "transformers", state, hub_cache(out / "hub-cache", llama))

    unet = diffusers.UNet2DModel(sample_size=8, block_out_channels=(32, 32), layers_per_block=1, norm_num_groups=8,
                                 down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"))
    pipeline = diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler())
    for name, options in {"diffusers-bin": {"safe_serialization": False}, "diffusers-safetensors": {},
                          "diffusers-variant": {"safe_serialization": False, "variant": "fp16"}}.items():
        pipeline.save_pretrained(out / name, **options)
        case(name, "diffusers", unet.state_dict())

    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapter = peft.get_peft_model(llama, config)
    adapter.save_pretrained(out / "peft")
    weights = safetensors.torch.load_file(out / "peft" / "adapter_model.safetensors")
    shutil.copytree(out / "peft", out / "peft-bin")
    (out / "peft-bin" / "adapter_model.safetensors").unlink()
    torch.save(weights, out / "peft-bin" / "adapter_model.bin")
    for name in ("peft", "peft-bin"):
        case(name, "peft", weights, base=str(out / "variant"))
    json.dump(cases, sys.stdout)


main()
