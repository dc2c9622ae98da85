"""Reads mounted model directories as the programs do that people point at them.

stdin: the cases of write_clients.py, each with "mount"; stdout: {name: [what differs]}.
"""

import concurrent.futures
import glob
import json
import mmap
import os
import pathlib

import accelerate
import diffusers
import fastsafetensors
import gguf.utility
import huggingface_hub
import peft
import safetensors
import safetensors.torch
import torch
import transformers
from accelerate.utils.modeling import load_state_dict

import bits
import cases


def differs(who, got, want):
    """got and want are {key: tensor}."""
    if got.keys() != want.keys():
        yield f"{who}: keys {sorted(got.keys() ^ want.keys())[:4]} are on one side only"
    for key in got.keys() & want.keys():
        if got[key].dtype != want[key].dtype or bits.tensor_bytes(got[key]) != bits.tensor_bytes(want[key]):
            yield f"{who}: {key} differs"


def weights(mount):
    """The weight files at the root or one below it, as clients glob for them."""
    return sorted(glob.glob(f"{mount}/*.safetensors")) or sorted(glob.glob(f"{mount}/*/*.safetensors"))


def by_safetensors(mount):
    return {key: tensor for path in weights(mount) for key, tensor in safetensors.torch.load_file(path).items()}


def by_slices(mount):
    """transformers keeps all shards open and takes slices from threads."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = {}
        for path in weights(mount):
            file = safetensors.safe_open(path, "pt")
            found |= {key: pool.submit(lambda f, k: f.get_slice(k)[...], file, key) for key in file.keys()}
        return {key: future.result() for key, future in found.items()}


def by_index(mount):
    """vLLM globs, and drops what an index does not name (weight_utils.py, filter_duplicate_safetensors_files)."""
    files = glob.glob(f"{mount}/*.safetensors") or weights(mount)
    index = f"{mount}/model.safetensors.index.json"
    if os.path.exists(index):
        with open(index) as file:
            weight_map = json.load(file)["weight_map"]
        named = {f"{mount}/{name}" for name in weight_map.values()}
        if named != set(files):
            raise ValueError(f"the index names {sorted(named)}, there are {sorted(files)}")
        for key, name in weight_map.items():
            with safetensors.safe_open(f"{mount}/{name}", "pt") as file:
                file.get_slice(key)
    elif len(files) != 1:
        raise ValueError(f"{len(files)} files and no index")
    return {key: tensor for path in files for key, tensor in safetensors.torch.load_file(path).items()}


def by_accelerate(mount):
    """Refuses a file whose __metadata__ has no format."""
    return {key: tensor for path in weights(mount) for key, tensor in load_state_dict(path).items()}


def by_pread(mount):
    """MLX finds the size by lseek and reads each tensor with pread from four threads; headers are below 100 MB."""
    tensors = {}
    for path in weights(mount):
        descriptor = os.open(path, os.O_RDONLY)
        end = os.lseek(descriptor, 0, os.SEEK_END)
        length = int.from_bytes(os.pread(descriptor, 8, 0), "little")
        header = json.loads(os.pread(descriptor, length, 8))
        if header.pop("__metadata__", {}).get("format") != "pt":
            raise ValueError(f"{path} has no format in its __metadata__")
        if 8 + length + max(e["data_offsets"][1] for e in header.values()) != end:
            raise ValueError(f"{path} ends elsewhere")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            read = pool.map(lambda e: os.pread(descriptor, e["data_offsets"][1] - e["data_offsets"][0],
                                               8 + length + e["data_offsets"][0]), header.values())
            for (key, entry), data in zip(header.items(), read):
                tensors[key] = tensor_of(entry["dtype"], entry["shape"], bytearray(data))
        os.close(descriptor)
    return tensors


def by_gguf(mount):
    """llama.cpp's converter lists model*.safetensors and maps each tensor by itself, all of them at once."""
    directory = next((d for d in (mount, f"{mount}/unet") if glob.glob(f"{d}/*.safetensors")), mount)
    prefixes = ("model", "diffusion_pytorch_model", "adapter_model")
    parts = [name for name in os.listdir(directory) if name.startswith(prefixes) and name.endswith(".safetensors")]
    entries = {}
    for part in parts:
        with gguf.utility.SafetensorsLocal(pathlib.Path(directory, part)) as tensors:
            entries |= tensors
    maps = {key: entry.mmap_bytes() for key, entry in entries.items()}
    return {key: tensor_of(entries[key].dtype, entries[key].shape, bytearray(data)) for key, data in maps.items()}


def by_fastsafetensors(mount):
    with fastsafetensors.fastsafe_open(weights(mount), nogds=True, device="cpu") as file:
        return {key: file.get_tensor(key).clone().detach() for key in file.keys()}


def by_direct(mount):
    """Reads with O_DIRECT, page by page, as fastsafetensors does on some devices."""
    tensors = {}
    for path in weights(mount):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
        with open(descriptor, "rb", buffering=0) as file:
            data, page = b"", mmap.mmap(-1, 1 << 16)  # aligned
            while count := file.readinto(page):
                data += page[:count]
        tensors |= safetensors.torch.load(data)
    return tensors


def tensor_of(name, shape, data):
    dtype = next(dtype for dtype, known in bits.SAFETENSORS.items() if known == name)
    return torch.frombuffer(data, dtype=dtype).reshape(tuple(shape))


CLIENTS = [by_safetensors, by_slices, by_index, by_accelerate, by_pread, by_gguf, by_fastsafetensors, by_direct]


def loaded(case, want):
    """The model as the library loads it that the directory is for."""
    mount = case["mount"]
    if case["kind"] == "diffusers":
        yield from differs("diffusers", diffusers.DDPMPipeline.from_pretrained(mount).unet.state_dict(), want)
        return
    base = case.get("base", mount)
    variant = "fp16" if "base" in case else None
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype="auto", variant=variant)
    if case["kind"] == "peft":
        adapter = peft.PeftModel.from_pretrained(model, mount)
        yield from differs("peft", peft.get_peft_model_state_dict(adapter), want)
        return
    yield from differs("transformers", model.state_dict(), want)
    with accelerate.init_empty_weights():
        empty = transformers.AutoModelForCausalLM.from_config(model.config)
    accelerate.load_checkpoint_in_model(empty, mount, device_map={"": "cpu"}, dtype=torch.bfloat16)
    yield from differs("accelerate.load_checkpoint_in_model", empty.state_dict(), want)
    metadata = huggingface_hub.get_local_safetensors_metadata(mount)
    if metadata.weight_map.keys() != want.keys():
        yield f"huggingface_hub: {len(metadata.weight_map)} tensors, want {len(want)}"


def verify(case):
    want = safetensors.torch.load_file(case["expected"])
    for client in CLIENTS:
        try:
            yield from differs(client.__name__, client(case["mount"]), want)
        except Exception as error:
            yield f"{client.__name__}: {type(error).__name__}: {error}"
    yield from loaded(case, want)


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases.check(verify)
