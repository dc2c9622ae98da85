"""Writes small models as open_clip and timm keep them, and loads them from the source and from a mount.

    vision.py write DIRECTORY      prints a JSON list of cases: name, source
    vision.py verify               stdin: the same with "mount"; stdout: {name: [what differs]}
"""

import json
import os
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
import open_clip
import timm
import torch

CLIP = {
    "embed_dim": 16, "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 2},
}
TIMM = {
    "architecture": "resnet10t", "num_classes": 3,
    "pretrained_cfg": {"input_size": [3, 32, 32], "num_classes": 3, "first_conv": "conv1.0", "classifier": "fc"},
}


def write(out):
    clip, net = open_clip.CLIP(**CLIP), timm.create_model("resnet10t", num_classes=3)
    cases = []
    for name, model, weights, configuration, value in (
        ("open_clip", clip, "open_clip_pytorch_model.bin", "open_clip_config.json", {"model_cfg": CLIP, "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1]}}),
        ("timm", net, "pytorch_model.bin", "config.json", TIMM),
    ):
        folder = out / name
        folder.mkdir()
        (folder / configuration).write_text(json.dumps(value))
        torch.save(model.state_dict(), folder / weights)
        cases.append({"name": name, "source": str(folder), "weights": weights})
    return cases


def load(name, folder):
    if name.startswith("open_clip"):
        return open_clip.create_model("local-dir:" + folder)
    return timm.create_model("local-dir:" + folder, pretrained=True)


def verify(case):
    want = torch.load(os.path.join(case["source"], case["weights"]))
    for folder in (case["source"], case["mount"]):
        got = load(case["name"], folder).state_dict()
        if differ := [key for key in want if not torch.equal(got[key], want[key])]:
            yield f"{folder}: {len(differ)} tensors differ, {differ[0]} is the first"


if sys.argv[1] == "write":
    json.dump(write(pathlib.Path(sys.argv[2])), sys.stdout)
else:
    json.dump({case["name"]: list(verify(case)) for case in json.load(sys.stdin)}, sys.stdout)
