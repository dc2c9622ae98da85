"""Writes directories with more in them than a model, as accelerate, PEFT, diffusers and the Hub's cache make them.

stdout: [{name, client, source, like}], where source is what is mounted and loaded by that client, and like is what that
client loads without a mount: transformers and diffusers find no .bin beside a .safetensors.
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
from accelerate import Accelerator

out = pathlib.Path(sys.argv[1])
cases = []


def case(name, client, source=None, like=None):
    source = source or out / name
    cases.append({"name": name, "client": client, "source": str(source), "like": str(like or source)})


def accelerate_states():
    """Two models, optimizers and schedulers, a sampler: model_1, optimizer_1.bin, scheduler_1.bin, random_states_0.pkl."""
    for name, safe in (("accelerate", False), ("accelerate-safe", True)):
        accelerator = Accelerator(cpu=True)
        models = [torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)]
        optimizers = [torch.optim.AdamW(model.parameters()) for model in models]
        schedulers = [torch.optim.lr_scheduler.StepLR(optimizer, 1) for optimizer in optimizers]
        data = torch.utils.data.DataLoader(list(torch.randn(8, 4)), shuffle=True, batch_size=2)
        prepared = accelerator.prepare(*models, *optimizers, *schedulers, data)
        for batch in prepared[-1]:
            accelerator.backward(prepared[1](prepared[0](batch)).sum())
            for step in prepared[2:6]:
                step.step()
        accelerator.save_state(out / name, safe_serialization=safe)
        case(name, "accelerate")


def bert():
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=20, **size))


def adapters():
    """PEFT's save_pretrained into the directory of the base model, each weight set in either form."""
    plain = out / "adapter"
    bert().save_pretrained(plain)
    base = transformers.AutoModelForMaskedLM.from_pretrained(plain)
    config = peft.LoraConfig(r=2, target_modules=["query"], init_lora_weights=False)
    peft.get_peft_model(base, config).save_pretrained(plain)
    case("adapter", "adapter")
    for name, stems in (("adapter-bin", ["adapter_model"]), ("both-bin", ["model", "adapter_model"])):
        shutil.copytree(plain, out / name)
        for stem in stems:
            safe = out / name / f"{stem}.safetensors"
            torch.save(safetensors.torch.load_file(safe), safe.with_name(("pytorch_model" if stem == "model" else stem) + ".bin"))
            safe.unlink()
        case(name, "adapter", like=plain)


def value_head():
    """What trl leaves beside a model, and the files of transformers' Trainer."""
    bert().save_pretrained(out / "value-head")
    for name in ("v_head.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth", "scaler.pt"):
        torch.save({"v_head.summary.weight": torch.randn(1, 8)}, out / "value-head" / name)
    case("value-head", "torch")


def loras():
    state = {f"unet.down.to_q.lora_{part}.weight": torch.randn(2, 2) for part in "AB"}
    bert().save_pretrained(out / "lora")
    shutil.copytree(out / "lora", out / "lora-bin")
    safetensors.torch.save_file(state, out / "lora" / "pytorch_lora_weights.safetensors")
    torch.save(state, out / "lora-bin" / "pytorch_lora_weights.bin")
    case("lora", "lora")
    case("lora-bin", "lora", like=out / "lora")


def cached(directory, snapshot):
    """Moves the files of a directory into the blobs of a repository and leaves links, as huggingface_hub has them."""
    repository = out / "hub" / f"models--owner--{snapshot}"
    for number, file in enumerate(sorted(path for path in directory.rglob("*") if path.is_file())):
        blob = repository / "blobs" / f"{number:040x}"
        link = repository / "snapshots" / "0123abc" / file.relative_to(directory)
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        file.rename(blob)
        depth = len(link.relative_to(repository).parts) - 1
        link.symlink_to(pathlib.Path(*[".."] * depth, "blobs", blob.name))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    return repository


def hub():
    unet = diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(4,), norm_num_groups=2,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",))
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler()).save_pretrained(out / "pipeline")
    repository = cached(out / "pipeline", "pipeline")
    case("component", "unet", repository / "snapshots" / "0123abc" / "unet")
    case("snapshot", "pipeline", repository / "snapshots" / "0123abc")
    case("repository", "pipeline", repository, repository / "snapshots" / "0123abc")

    bert().save_pretrained(out / "model")
    snapshot = cached(out / "model", "model") / "snapshots" / "0123abc"
    local = out / "local-dir"  # what older versions left in --local-dir
    local.mkdir()
    for link in snapshot.iterdir():
        (local / link.name).symlink_to(link.resolve())
    case("local-dir", "transformers", local)


def lone():
    """open_clip's and timm's names, and one's own."""
    for name, file in (("open-clip", "open_clip_pytorch_model.bin"), ("pth", "model.pth"), ("own", "vit_tiny.augreg.pth")):
        (out / name).mkdir()
        torch.save({"visual.conv1.weight": torch.randn(2, 3)}, out / name / file)
        (out / name / "config.json").write_text("{}")
        case(name, "lone")


accelerate_states()
adapters()
value_head()
loras()
hub()
lone()
shutil.rmtree(out / "pipeline")
json.dump(cases, sys.stdout)
