"""Writes sources for `wfs serve` into a directory: a model as a .bin, its shards, a lone .pt,
and a repository of many files."""

import json
import pathlib
import sys

import torch
import transformers

out = pathlib.Path(sys.argv[1])
torch.manual_seed(0)
config = transformers.BertConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, vocab_size=3000)
model = transformers.BertModel(config)
state = model.state_dict()


def directory(name):
    path = out / name
    path.mkdir()
    config.save_pretrained(path)
    return path


bert = directory("bert")
torch.save(state, bert / "pytorch_model.bin")
(bert / "README.md").write_text("# <script>alert(1)</script>\n")
(bert / "page.html").write_text("<script>alert(1)</script>\n")
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world"]
(bert / "vocab.txt").write_text("\n".join(words) + "\n")
(bert / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))

shards = directory("shards")
names = [f"pytorch_model-{i + 1:05}-of-00003.bin" for i in range(3)]
parts = [dict(list(state.items())[i::3]) for i in range(3)]
for name, part in zip(names, parts):
    torch.save(part, shards / name)
weight_map = {key: name for name, part in zip(names, parts) for key in part}
(shards / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weight_map}))

many = directory("many")
torch.save(state, many / "pytorch_model.bin")
(many / "deep").mkdir()
for i in range(2300):
    (many / "deep" / f"{i:04}.txt").write_text(str(i))

torch.save({"state_dict": state, "epoch": 3}, out / "lone.pt")
torch.save(state, out / "expected")
