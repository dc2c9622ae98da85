"""Loads model directories through mounts with transformers and compares the logits with the source model's.

stdin: [{"name", "mount", "auto", "logits"}]; stdout: {name: what differs, "" for nothing}.
"""

import json
import sys

import torch
import transformers


def verify(case):
    model, info = getattr(transformers, case["auto"]).from_pretrained(
        case["mount"], dtype="auto", output_loading_info=True)
    wrong = {kind: sorted(map(str, keys)) for kind, keys in info.items() if keys}
    if wrong:
        return f"loading: {wrong}"
    want = torch.load(case["logits"])
    with torch.no_grad():
        got = model.eval()(input_ids=torch.arange(2, 12).reshape(2, 5))[0]
    if got.dtype != want.dtype or not torch.equal(got, want):
        return f"other logits: {got.dtype} {got.flatten()[:4]}, want {want.dtype} {want.flatten()[:4]}"
    return ""


def main():
    torch.set_num_threads(1)
    problems = {}
    for case in json.load(sys.stdin):
        try:
            problems[case["name"]] = verify(case)
        except Exception as error:
            problems[case["name"]] = f"{type(error).__name__}: {error}"
    json.dump(problems, sys.stdout)


main()
