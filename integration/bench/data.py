"""The files that the rows read, each made when first asked for."""

import functools
import os
import pathlib

import measure

DIRECTORY = pathlib.Path(os.environ["BENCH_DIR"])
GIB = 1 << 30


@functools.cache
def tensors():
    """1 GiB of bfloat16 in 60 tensors."""
    import torch
    torch.manual_seed(0)
    rows = GIB // 60 // 2 // 1024
    return {f"model.layers.{i}.weight": torch.randint(-2**15, 2**15, (rows, 1024), dtype=torch.int16).view(torch.bfloat16)
            for i in range(60)}


@functools.cache
def checkpoint():
    """The tensors by torch.save."""
    import torch
    path = DIRECTORY / "model.pt"
    torch.save(tensors(), path)
    measure.warm(path)
    return path


@functools.cache
def singles():
    """1 GiB of float32 in 60 tensors by torch.save."""
    import torch
    torch.manual_seed(0)
    path = DIRECTORY / "singles.pt"
    torch.save({f"model.layers.{i}.weight": torch.randn(GIB // 60 // 4 // 1024, 1024) for i in range(60)}, path)
    measure.warm(path)
    return path


@functools.cache
def halves():
    """The bytes of the checkpoint in two files, for programs that take one processor each."""
    whole = checkpoint()
    middle = whole.stat().st_size // 2
    paths = DIRECTORY / "first-half", DIRECTORY / "second-half"
    with open(whole, "rb") as file:
        for path in paths:
            path.write_bytes(file.read(middle + 1))
    return paths


@functools.cache
def native():
    """The same tensors by safetensors itself."""
    import safetensors.torch
    path = DIRECTORY / "native.safetensors"
    safetensors.torch.save_file(tensors(), path, metadata={"format": "pt"})
    measure.warm(path)
    return path


@functools.cache
def model():
    """Two directories with one Llama of about 1 GiB in bfloat16: as .bin and as .safetensors."""
    import torch
    import transformers
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=32000, hidden_size=1536, intermediate_size=4096, num_hidden_layers=16,
        num_attention_heads=16, num_key_value_heads=8, tie_word_embeddings=False)
    llama = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    as_bin, as_safetensors = DIRECTORY / "llama-bin", DIRECTORY / "llama-safetensors"
    llama.save_pretrained(as_safetensors)
    llama.config.save_pretrained(as_bin)
    torch.save(llama.state_dict(), as_bin / "pytorch_model.bin")
    measure.warm(as_bin)
    measure.warm(as_safetensors)
    return as_bin, as_safetensors


@functools.cache
def many(count, elements=2):
    """count tensors of float32 by torch.save."""
    import torch
    path = DIRECTORY / f"many-{count}-{elements}.pt"
    values = torch.zeros(count, elements)
    torch.save({f"model.layers.{i // 100}.block.{i % 100}.weight": values[i].clone() for i in range(count)}, path)
    measure.warm(path)
    return path


@functools.cache
def adapter():
    """A LoRA of rank 16 on all linear layers of model()."""
    import peft
    import torch
    import transformers
    torch.manual_seed(0)
    path = DIRECTORY / "adapter"
    llama = transformers.AutoModelForCausalLM.from_pretrained(model()[1], dtype="auto")
    wrapped = peft.get_peft_model(llama, peft.LoraConfig(r=16, target_modules="all-linear", init_lora_weights=False))
    wrapped.save_pretrained(path)
    return path
