"""Rows of views with rules: what they cost beside the plain view, and against doing the same in Python."""

import data
from loading import SAFETENSORS, sum_file
from measure import Row, fresh, mounted, ratio, read_through, rounds


def read_view(*flags):
    def run():
        with mounted(data.checkpoint(), *flags) as (path, _):
            return fresh((), read_files, path)
    return run


def read_files(directory):
    return sum(read_through(file) for file in sorted(directory.glob("*.safetensors")))


def row_view():
    """a cold 1 GiB view read from first to last"""
    samples = rounds(
        plain=read_view(), select=read_view("--exclude", "model.layers.59.weight"), shards=read_view("--shard-size", "200MB"),
        rename=read_view("--rename", "strip:model."))
    for name, what in [("rename", "other names"), ("select", "59 of 60 tensors"), ("shards", "files of 200 MB")]:
        yield Row(f"view {name}", f"{row_view.__doc__}, {what}, speed against the plain view", ratio(samples, "plain", name),
                  "×", 0.95, "more", samples)


def cast_by_hand(source, target):
    import safetensors.torch
    import torch
    state = {key: tensor.to(torch.float16) for key, tensor in torch.load(source, mmap=True).items()}
    safetensors.torch.save_file(state, target, metadata={"format": "pt"})
    del state
    sum_file(target)


def cast_by_view(source):
    with mounted(source, "--dtype", "f16") as (path, _):
        sum_file(path / "model.safetensors")


def row_view_cast():
    """mounting 1 GiB of float32 with --dtype f16, loading and a sum, against torch.load, .to, save_file and the same"""
    source, target = data.singles(), data.DIRECTORY / "cast.safetensors"
    samples = rounds(by_hand=lambda: fresh(SAFETENSORS, cast_by_hand, source, target), view=lambda: fresh(SAFETENSORS, cast_by_view, source))
    target.unlink()
    yield Row("view cast", row_view_cast.__doc__, ratio(samples, "view", "by_hand"), "×", 0.7, "less", samples)


def merge_by_hand(base, adapter, target):
    import peft
    import transformers
    model = peft.PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained(base, dtype="auto"), adapter)
    model.merge_and_unload().save_pretrained(target)
    sum_file(target / "model.safetensors")


def merge_by_view(base, adapter):
    with mounted(base, "--lora", str(adapter)) as (path, _):
        sum_file(path / "model.safetensors")


def row_view_lora():
    """mounting a bfloat16 model of 1 GiB with a LoRA of rank 16, loading and a sum, against PEFT's merge, saving and the same"""
    import shutil
    base, adapter = data.model()[1], data.adapter()
    target = data.DIRECTORY / "merged"
    samples = rounds(
        by_hand=lambda: fresh(SAFETENSORS + ("peft", "transformers.models.llama.modeling_llama"), merge_by_hand, base, adapter, target),
        view=lambda: fresh(SAFETENSORS, merge_by_view, base, adapter))
    shutil.rmtree(target)
    yield Row("view lora", row_view_lora.__doc__, ratio(samples, "view", "by_hand"), "×", 0.5, "less", samples)
