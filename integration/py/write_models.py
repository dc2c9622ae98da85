"""Writes model directories as Hugging Face libraries laid them out, and a list of them to stdout.

Where weights are in .bin files they are written as save_pretrained did before transformers 5.
"""

import json
import pathlib
import sys

import torch
import transformers

out = pathlib.Path(sys.argv[1])
cases = []


def shards(state, count):
    """The state dict in count parts, tied tensors in one part."""
    parts = [{} for _ in range(count)]
    place = {}
    for position, (key, tensor) in enumerate(state.items()):
        at = place.setdefault(tensor.untyped_storage().data_ptr(), position * count // len(state))
        parts[at][key] = tensor
    return parts


def save_bin(directory, state, count=1, stem="pytorch_model"):
    directory.mkdir(parents=True, exist_ok=True)
    if count == 1:
        torch.save(state, directory / f"{stem}.bin")
        return
    weight_map = {}
    for number, part in enumerate(shards(state, count), 1):
        name = f"{stem}-{number:05}-of-{count:05}.bin"
        torch.save(part, directory / name)
        weight_map.update(dict.fromkeys(part, name))
    size = sum(t.numel() * t.element_size() for t in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (directory / f"{stem}.bin.index.json").write_text(json.dumps(index, indent=2))


def case(name, model, auto, expect, write):
    directory = out / name
    directory.mkdir()
    write(directory)
    (directory / "README.md").write_text(f"# {name}\n")
    (directory / "assets").mkdir()
    (directory / "assets" / "plot.png").write_bytes(bytes(range(256)) * 40)
    tokens = torch.arange(2, 12).reshape(2, 5)
    with torch.no_grad():
        logits = model.eval()(input_ids=tokens)[0]
    torch.save(logits, out / f"{name}.logits")
    cases.append({"name": name, "source": str(directory), "auto": auto, "logits": str(out / f"{name}.logits"),
                  "expect": expect})


def as_bin(model, count=1):
    def write(directory):
        model.config.save_pretrained(directory)
        save_bin(directory, model.state_dict(), count)
    return write


def as_safetensors(model, shard_size):
    return lambda directory: model.save_pretrained(directory, max_shard_size=shard_size)


def numbered(count):
    names = [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    return ["model.safetensors.index.json", *names]


def sentence_transformer(model):
    def write(directory):
        as_bin(model)(directory)
        (directory / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}]))
        (directory / "1_Pooling").mkdir()
        (directory / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
        save_bin(directory / "2_Dense", torch.nn.Linear(32, 8).state_dict() | {})
        (directory / "2_Dense" / "config.json").write_text('{"in_features": 32, "out_features": 8}')
    return write


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    bert = transformers.BertModel(transformers.BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64))
    sizes = dict(vocab_size=100, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                 num_key_value_heads=2, intermediate_size=64)
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, tie_word_embeddings=False))
    tied = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, tie_word_embeddings=True))
    half = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**sizes), dtype=torch.bfloat16)

    case("bert-bin", bert, "AutoModel", ["model.safetensors"], as_bin(bert))
    case("bert-safetensors", bert, "AutoModel", ["model.safetensors"], as_safetensors(bert, "1GB"))
    case("llama-bin-sharded", llama, "AutoModelForCausalLM", numbered(3), as_bin(llama, 3))
    case("llama-bin-tied", tied, "AutoModelForCausalLM", numbered(2), as_bin(tied, 2))
    case("llama-bin-bfloat16", half, "AutoModelForCausalLM", ["model.safetensors"], as_bin(half))
    case("llama-safetensors-sharded", llama, "AutoModelForCausalLM", None, as_safetensors(llama, "60KB"))
    case("sentence-transformers", bert, "AutoModel", ["model.safetensors", "2_Dense/model.safetensors"],
         sentence_transformer(bert))
    json.dump(cases, sys.stdout)


main()
