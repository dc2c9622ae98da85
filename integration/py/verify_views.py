"""Views with rules, against what Python makes of the same model.

write DIR: a Llama in shards below DIR/sharded, and the same as a nested checkpoint, DIR/nested.pt.
check DIR MOUNTS: MOUNTS is a JSON object, the flags of a view by its mountpoint; stdout: [what differs].
"""

import fnmatch
import json
import pathlib
import sys

import huggingface_hub
import safetensors.torch
import torch
import transformers

import bits
import verify_clients

TO = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "f8_e4m3": torch.float8_e4m3fn, "f8_e5m2": torch.float8_e5m2}


def write(where):
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, vocab_size=300, tie_word_embeddings=False)
    model = transformers.LlamaForCausalLM(config).float()
    model.save_pretrained(where / "sharded", max_shard_size="200KB")
    state = {"module." + key: value for key, value in model.state_dict().items()}
    state["module.steps"] = torch.arange(7)
    state["module.mask"] = torch.tensor([True, False])
    state["module.tied"] = state["module.lm_head.weight"]
    torch.save({"model": state, "optimizer": {"exp_avg": torch.zeros(9)}}, where / "nested.pt")


def expected(where, flags):
    """The state dict that the flags ask for, in its order."""
    if flags["source"] == "nested.pt":
        state = torch.load(where / "nested.pt")["model"]
    else:
        state = transformers.AutoModelForCausalLM.from_pretrained(where / "sharded").state_dict()
        places = json.loads((where / "sharded/model.safetensors.index.json").read_text())["weight_map"]
        order = {}  # a view has its tensors in the order of the files
        for file in sorted(set(places.values())):
            with safetensors.safe_open(where / "sharded" / file, "pt") as shard:
                order |= dict.fromkeys(shard.offset_keys())
        state = {key: state[key] for key in order}
    if patterns := flags.get("include"):
        state = {k: v for k, v in state.items() if any(fnmatch.fnmatchcase(k, p) for p in patterns)}
    state = {k: v for k, v in state.items() if not any(fnmatch.fnmatchcase(k, p) for p in flags.get("exclude", []))}
    if dtype := flags.get("dtype"):
        keep = flags.get("keep", [])
        state = {
            k: v.to(TO[dtype]) if v.is_floating_point() and not any(fnmatch.fnmatchcase(k, p) for p in keep) else v
            for k, v in state.items()
        }
    if flags.get("tied") == "drop":
        state.pop("module.tied", None)
    return state


def files_of(mount):
    return sorted(path.name for path in mount.glob("*.safetensors"))


def differs(where, mount, flags):
    want = expected(where, flags)
    got, place = {}, {}
    for name in files_of(mount):
        for key, tensor in safetensors.torch.load_file(mount / name).items():
            got[key], place[key] = tensor, name
    if got.keys() != want.keys():
        yield f"keys {sorted(got.keys() ^ want.keys())} are on one side only"
        return
    for key, tensor in want.items():
        if got[key].dtype != tensor.dtype or got[key].shape != tensor.shape or bits.tensor_bytes(got[key]) != bits.tensor_bytes(tensor):
            yield f"{key} differs"
        single = (mount / "raw" / f"{key}.bin").read_bytes()
        if single != bits.tensor_bytes(tensor):
            yield f"raw/{key}.bin differs"
    for client in verify_clients.CLIENTS:
        try:
            yield from verify_clients.differs(client.__name__, client(mount), want)
        except Exception as error:
            yield f"{client.__name__}: {type(error).__name__}: {error}"
    if size := flags.get("shard-size"):
        split = huggingface_hub.split_torch_state_dict_into_shards(
            {k: v.clone() for k, v in want.items()}, filename_pattern="model{suffix}.safetensors", max_shard_size=int(size) if size.isdigit() else size)
        if {name: set(keys) for name, keys in split.filename_to_tensors.items()} != {
            name: {k for k in place if place[k] == name} for name in files_of(mount)
        }:
            yield f"huggingface_hub puts them into {split.filename_to_tensors}, the view has {place}"
        if split.is_sharded:
            index = json.loads((mount / "model.safetensors.index.json").read_text())
            if index["weight_map"] != split.tensor_to_filename or index["metadata"]["total_size"] != split.metadata["total_size"]:
                yield f"the index is {index}, huggingface_hub's {split.tensor_to_filename} {split.metadata}"
    if flags["source"] == "sharded" and not flags.get("include") and not flags.get("exclude"):
        model = transformers.AutoModelForCausalLM.from_pretrained(mount, dtype="auto")
        if dtype := flags.get("dtype"):
            if model.dtype != TO[dtype]:
                yield f"config.json has transformers load {model.dtype}"
        for key, tensor in model.state_dict().items():
            if not torch.equal(tensor, want[key].to(model.dtype)):
                yield f"transformers loads another {key}"


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "write":
        write(directory)
    else:
        problems = []
        for mountpoint, flags in json.loads(sys.argv[3]).items():
            problems += [f"{flags}: {line}" for line in differs(directory, pathlib.Path(mountpoint), flags)]
        json.dump(problems, sys.stdout)
