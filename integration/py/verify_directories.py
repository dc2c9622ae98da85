"""Loads the directories of write_directories.py from a mount, and without one, by the program that they are for.

stdin: the cases, each with "mount"; stdout: {name: [what differs]}.
"""

import pathlib

import diffusers
import peft
import safetensors.torch
import torch
import transformers
from accelerate import Accelerator

import cases


def by_accelerate(directory):
    accelerator = Accelerator(cpu=True)
    models = [torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)]
    optimizers = [torch.optim.AdamW(model.parameters()) for model in models]
    schedulers = [torch.optim.lr_scheduler.StepLR(optimizer, 1) for optimizer in optimizers]
    data = torch.utils.data.DataLoader(list(torch.randn(8, 4)), shuffle=True, batch_size=2)
    prepared = accelerator.prepare(*models, *optimizers, *schedulers, data)
    accelerator.load_state(directory)
    return {f"{part}.{key}": value for part, item in enumerate(prepared[:6]) for key, value in flat(item.state_dict())} | {
        "random": torch.rand(3)}


def flat(state):
    for key, value in state.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{below}", v) for below, v in flat(value))
        elif not isinstance(value, list):
            yield key, torch.as_tensor(value if value is not None else -1)


def by_adapter(directory):
    """transformers applies the adapter that it finds; PEFT loads it onto a base model."""
    model = transformers.AutoModelForMaskedLM.from_pretrained(directory)
    if not any("lora_A" in key for key in model.state_dict()):
        raise ValueError("the adapter is not applied")
    config = transformers.AutoConfig.from_pretrained(directory)
    base = transformers.AutoModelForMaskedLM.from_config(config)
    adapter = peft.get_peft_model_state_dict(peft.PeftModel.from_pretrained(base, directory))
    return dict(model.state_dict()) | {f"peft.{key}": value for key, value in adapter.items()}


def by_torch(directory):
    files = [path for path in pathlib.Path(directory).iterdir() if path.suffix in (".bin", ".pt", ".pth")]
    return {f"{path.name}.{key}": value for path in files for key, value in torch.load(path).items()}


def by_lora(directory):
    state = diffusers.StableDiffusionPipeline.lora_state_dict(directory)
    return dict(by_transformers(directory)) | dict(state[0] if isinstance(state, tuple) else state)


def by_unet(directory):
    return diffusers.UNet2DModel.from_pretrained(directory).state_dict()


def by_pipeline(directory):
    return diffusers.DDPMPipeline.from_pretrained(directory).unet.state_dict()


def by_transformers(directory):
    return transformers.AutoModelForMaskedLM.from_pretrained(directory).state_dict()


def by_lone(directory):
    """The one weight file, in the view's form or in torch's."""
    file, = (path for path in pathlib.Path(directory).iterdir() if path.suffix in (".safetensors", ".bin", ".pth"))
    return safetensors.torch.load_file(file) if file.suffix == ".safetensors" else torch.load(file)


LONE = {"open-clip": "open_clip_model.safetensors", "pth": "model.safetensors", "own": "vit_tiny.augreg.safetensors"}


def verify(case):
    load = globals()[f"by_{case['client']}"]
    source = pathlib.Path(case["like"])
    want, got = load(str(source)), load(case["mount"])
    if want.keys() != got.keys() or not want:
        yield f"keys {sorted(want.keys() ^ got.keys())[:4]} are on one side only"
    for key in want.keys() & got.keys():
        if not torch.equal(want[key], got[key]):
            yield f"{key} differs"
    root = {path.name for path in pathlib.Path(case["mount"]).iterdir()}
    if case["client"] == "lone" and LONE[case["name"]] not in root:
        yield f"there is no {LONE[case['name']]}"
    if case["name"] != "repository":
        source = pathlib.Path(case["source"])
    weights = {path.stem.removeprefix("pytorch_") for path in source.iterdir() if path.suffix in (".safetensors", ".bin")}
    for path in source.iterdir():  # all but the weights of the view as they are, and those in one form
        shown = pathlib.Path(case["mount"], path.name)
        if path.is_file() and shown.exists() and shown.read_bytes() != path.read_bytes():
            yield f"{path.name} differs"
        if path.is_file() and not shown.exists() and path.stem.removeprefix("pytorch_") not in weights and case["client"] != "lone":
            yield f"{path.name} is missing"
    for path in pathlib.Path(case["mount"]).glob("*.bin"):
        if path.with_suffix(".safetensors").exists():
            yield f"{path.name} is there in two forms"


torch.set_num_threads(1)
cases.check(verify)
